import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { codec, decode, encode } from '../../broker/protocol/codec.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { MalformedMessage, Reader } from '../../broker/protocol/reader.ts'
import { array, bytes, int16, int32, int64, message, string, struct } from '../../broker/protocol/schema.ts'
import { Writer } from '../../broker/protocol/writer.ts'
import { declaredMessages, versionsOf } from '../support/declared-messages.ts'
import { defaultOf, givenOf, randomMessage, type Value } from '../support/random-message.ts'
import { SeededRandom } from '../support/seeded-random.ts'

describe('a codec', () => {
  for (const declared of declaredMessages) {
    test(`of ${declared.name} decodes what it encoded, at every version`, () => {
      for (const version of versionsOf(declared)) {
        fc.assert(fc.property(fc.noShrink(fc.nat()), (seed) => {
          const value = randomMessage(declared, version, new SeededRandom(seed))
          const encoded = encode(declared, version, givenOf(declared.shape, value) as never)
          assert.deepEqual(decode(declared, version, encoded), value)
        }), { numRuns: 25 })
      }
    })

    test(`of ${declared.name} refuses every truncation, and bytes left behind`, () => {
      for (const version of versionsOf(declared)) {
        const value = randomMessage(declared, version, new SeededRandom(version))
        const encoded = encode(declared, version, givenOf(declared.shape, value) as never)
        for (let length = 0; length < encoded.length; length++) {
          assert.throws(() => decode(declared, version, encoded.subarray(0, length)), MalformedMessage)
        }
        assert.throws(() => decode(declared, version, Buffer.concat([encoded, Buffer.of(0)])), MalformedMessage)
      }
    })
  }

  test('has only the versions that are declared', () => {
    assert.throws(() => codec(fetchApi.request, fetchApi.versions.end + 1), RangeError)
    assert.throws(() => codec(fetchApi.request, fetchApi.versions.start - 1), RangeError)
  })

  test('is compiled once', () => {
    assert.equal(codec(fetchApi.request, 12), codec(fetchApi.request, 12))
  })

  test('leaves what stands behind a message alone', () => {
    const encoded = encode(fetchApi.request, 12, { maxWaitMs: 1, minBytes: 1, topics: [], forgottenTopicsData: [] })
    const reader = new Reader(Buffer.concat([encoded, Buffer.of(1, 2, 3)]))
    codec(fetchApi.request, 12).read(reader)
    assert.equal(reader.left, 3)
  })
})

describe('a field', () => {
  test('that is not given is written as its default', () => {
    const encoded = encode(fetchApi.request, 18, { maxWaitMs: 1, minBytes: 1, topics: [], forgottenTopicsData: [] })
    const read = decode(fetchApi.request, 18, encoded)
    assert.equal(read.sessionEpoch, -1)
    assert.equal(read.maxBytes, 0x7fff_ffff)
    assert.deepEqual(read.replicaState, { replicaId: -1, replicaEpoch: -1 })
  })

  test('that a version does not have reads as its default', () => {
    const encoded = encode(metadataApi.request, 0, { topics: [], includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true })
    const read = decode(metadataApi.request, 0, encoded)
    assert.equal(read.allowAutoTopicCreation, true)
    assert.equal(read.includeClusterAuthorizedOperations, false)
  })

  test('that may not be null is refused where it is', () => {
    const declared = message({ name: 'Some', versions: [0, 1], flexible: 1, fields: { name: string, list: array(int32), blob: bytes } })
    for (const [version, input] of [
      [0, [0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]],
      [0, [0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]],
      [0, [0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
      [1, [0, 1, 1, 0]],
      [1, [1, 0, 1, 0]],
      [1, [1, 1, 0, 0]],
    ] as const) assert.throws(() => decode(declared, version, Buffer.from(input)), /may not be null/)
  })

  test('that is tagged is written only where it differs from its default', () => {
    const declared = message({
      name: 'Some', versions: [0, 0], flexible: 0,
      fields: { one: int32.or(-1).tagged(0, 0), two: struct({ id: int32.or(-1) }).tagged(1, 0), three: array(int16).tagged(2, 0) },
    })
    assert.deepEqual([...encode(declared, 0, {})], [0])
    assert.deepEqual([...encode(declared, 0, { one: -1, two: { id: -1 }, three: [] })], [0])
    assert.deepEqual([...encode(declared, 0, { one: 5 })], [1, 0, 4, 0, 0, 0, 5])
    assert.deepEqual([...encode(declared, 0, { two: { id: 5 }, three: [7] })], [2, 1, 5, 0, 0, 0, 5, 0, 2, 3, 2, 0, 7])
  })

  test('that is tagged and unknown is passed over, at every level', () => {
    const declared = message({ name: 'Some', versions: [0, 0], flexible: 0, fields: { items: array({ id: int32 }), one: int32.tagged(3, 0) } })
    const input = Buffer.from([2, 0, 0, 0, 9, 1, 77, 2, 0xaa, 0xbb, 3, 0, 1, 0xcc, 3, 4, 0, 0, 0, 8, 0x80, 0x01, 0])
    assert.deepEqual(decode(declared, 0, input), { items: [{ id: 9 }], one: 8 })
  })

  test('that is tagged and does not end where its tag says is refused', () => {
    const declared = message({ name: 'Some', versions: [0, 0], flexible: 0, fields: { one: int32.tagged(0, 0) } })
    for (const size of [3, 5, 100, 0]) {
      assert.throws(() => decode(declared, 0, Buffer.from([1, 0, size, 0, 0, 0, 1, 0])), MalformedMessage)
    }
  })

  test('of records is read as a view on the frame and written without being copied', () => {
    const batch = Buffer.from('a batch of records')
    const writer = new Writer()
    const request = { acks: 1, timeoutMs: 1, topicData: [{ name: 't', partitionData: [{ index: 0, records: [batch] }] }] }
    codec(produceApi.request, 9).write(writer, request)
    const pieces = writer.finish()
    assert.ok(pieces.includes(batch))
    const frame = Buffer.concat(pieces)
    const read = decode(produceApi.request, 9, frame).topicData[0]!.partitionData[0]!.records!
    assert.equal(read.buffer, frame.buffer)
    assert.equal(read.toString(), 'a batch of records')
  })
})

describe('a decoded message', () => {
  test('has every declared field in the declared order, so that all have one shape', () => {
    for (const declared of declaredMessages) {
      for (const version of versionsOf(declared)) {
        const value = randomMessage(declared, version, new SeededRandom(7))
        const read = decode(declared, version, encode(declared, version, givenOf(declared.shape, value) as never)) as Value
        assert.deepEqual(Object.keys(read), Object.keys(declared.shape))
      }
    }
  })

  test('does not share its defaults with the next one', () => {
    const encoded = encode(produceApi.response, 9, { responses: [] })
    const [one, other] = [decode(produceApi.response, 9, encoded), decode(produceApi.response, 9, encoded)]
    assert.notEqual(one.nodeEndpoints, other.nodeEndpoints)
    assert.deepEqual(one.nodeEndpoints, defaultOf(produceApi.response.shape.nodeEndpoints))
  })
})

describe('what a frame announces', () => {
  const declared = message({
    name: 'Some', versions: [0, 1], flexible: 1,
    fields: { items: array({ id: int64, name: string }).nullable() },
  })

  test('is held against what is left of it before anything is made', () => {
    for (const count of [0x7fff_ffff, 0x1000_0000, 3]) {
      const input = Buffer.alloc(4 + 20)
      input.writeInt32BE(count)
      assert.throws(() => decode(declared, 0, input), /elements announced/)
    }
    assert.throws(() => decode(declared, 0, Buffer.from([0xff, 0xff, 0xff, 0xfe])), MalformedMessage)
    assert.throws(() => decode(declared, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])), /elements announced/)
    assert.throws(() => decode(declared, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f])), /varint/)
  })

  test('may be null where that is declared', () => {
    assert.deepEqual(decode(declared, 0, Buffer.from([0xff, 0xff, 0xff, 0xff])), { items: null })
    assert.deepEqual(decode(declared, 1, Buffer.from([0, 0])), { items: null })
  })
})
