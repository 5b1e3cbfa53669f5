import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameLengthError, FrameSplitter } from '../../broker/net/frame-splitter.ts'
import { BufferPool } from '../../broker/runtime/buffer-pool.ts'

function splitter(bytesMax: number): FrameSplitter {
  return new FrameSplitter({ bytesMax, pool: new BufferPool(0) })
}

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
    const frames = splitter(1000)
    const received: Buffer[] = []
    for (let at = 0, cut = 0; at < stream.length; cut++) {
      const length = lengths[cut % lengths.length]!
      // The chunk is only lent: what it becomes afterwards must not show.
      const chunk = Buffer.from(stream.subarray(at, at + length))
      received.push(...frames.push(chunk))
      chunk.fill(0xee)
      at += length
    }
    assert.deepEqual(received.map((frame) => [...frame]), sent.map((body) => [...body]))
    assert.equal(frames.bytesHeld, 0)
  }))
})

test('a length that is negative or beyond the limit is refused before anything is kept for it', () => {
  const tlsHello = Buffer.from([0x16, 0x03, 0x01, 0x00])
  for (const head of [tlsHello, Buffer.from('GET '), Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x7f, 0xff, 0xff, 0xff])]) {
    const frames = splitter(100 * 1024 * 1024)
    assert.throws(() => frames.push(head), FrameLengthError)
    assert.equal(frames.bytesHeld, 0)
  }
})

test('what is held for a long frame grows with what was received, not with what was announced', () => {
  const frames = splitter(100 * 1024 * 1024)
  const announced = Buffer.alloc(4)
  announced.writeInt32BE(100 * 1024 * 1024)
  assert.deepEqual(frames.push(Buffer.concat([announced, Buffer.alloc(10)])), [])
  assert.ok(frames.bytesHeld <= 4 * 1024 * 1024)
  for (let received = 0; received < 10 * 1024 * 1024; received += 65_536) frames.push(Buffer.alloc(65_536))
  assert.ok(frames.bytesHeld <= 16 * 1024 * 1024)
})

test('a frame that is longer than its first room arrives whole', () => {
  const body = Buffer.alloc(9 * 1024 * 1024 + 7, 'longtail')
  const frames = splitter(100 * 1024 * 1024)
  const received = [...frames.push(framed(body).subarray(0, 5_000_000)), ...frames.push(framed(body).subarray(5_000_000))]
  assert.equal(received.length, 1)
  assert.ok(received[0]!.equals(body))
})
