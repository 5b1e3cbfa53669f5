import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameLengthError, FrameSplitter } from '../../broker/net/frame-splitter.ts'

function framed(...bodies: readonly Uint8Array[]): Buffer {
  return Buffer.concat(bodies.flatMap((body) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(body.length)
    return [length, body]
  }))
}

test('frames come out as they were sent, however the stream is cut', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
  const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 60 })
  fc.assert(fc.property(bodies, cuts, (sent, lengths) => {
    const stream = framed(...sent)
    const splitter = new FrameSplitter(1000)
    const received: Buffer[] = []
    for (let at = 0, cut = 0; at < stream.length; cut++) {
      const length = lengths[cut % lengths.length]!
      received.push(...splitter.push(stream.subarray(at, at + length)))
      at += length
    }
    assert.deepEqual(received.map((frame) => [...frame]), sent.map((body) => [...body]))
    assert.equal(splitter.bytesHeld, 0)
  }))
})

test('a length that is negative or beyond the limit is refused before anything is kept for it', () => {
  const tlsHello = Buffer.from([0x16, 0x03, 0x01, 0x00])
  for (const head of [tlsHello, Buffer.from('GET '), Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x7f, 0xff, 0xff, 0xff])]) {
    const splitter = new FrameSplitter(100 * 1024 * 1024)
    assert.throws(() => splitter.push(head), FrameLengthError)
    assert.equal(splitter.bytesHeld, 0)
  }
})

test('what is held is what was received, not what was announced', () => {
  const splitter = new FrameSplitter(100 * 1024 * 1024)
  const announced = Buffer.alloc(4)
  announced.writeInt32BE(100 * 1024 * 1024)
  assert.deepEqual(splitter.push(Buffer.concat([announced, Buffer.alloc(10)])), [])
  assert.equal(splitter.bytesHeld, 10)
})

test('a frame that lies whole in a chunk is not copied', () => {
  const chunk = framed(Buffer.from('one'), Buffer.from('two'))
  const frames = new FrameSplitter(100).push(chunk)
  assert.deepEqual(frames.map(String), ['one', 'two'])
  assert.ok(frames.every((frame) => frame.buffer === chunk.buffer))
})
