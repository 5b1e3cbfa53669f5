import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MalformedMessage } from '../../broker/protocol/reader.ts'
import { batchesIn, batchLengthAt, nextSequence, RecordBatch } from '../../broker/protocol/record-batch.ts'
import { type Record, recordsOf } from '../../broker/protocol/records.ts'
import { aBatch, aMarker } from '../support/a-batch.ts'
import { compressors, repacked } from '../support/compressors.ts'
import { type GivenRecord, recordBatch } from '../support/record-batches.ts'

const bytesMax = 8 * 1024 * 1024
const open = (bytes: Buffer): Record[] => [...recordsOf(new RecordBatch(bytes), { bytesMax })]

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)), { nil: null })
const givenRecords: fc.Arbitrary<GivenRecord[]> = fc.array(fc.record({
  key: bytesOrNull,
  value: bytesOrNull,
  timestamp: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  headers: fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 10 }), bytesOrNull), { maxLength: 4 }),
}), { minLength: 1, maxLength: 30 })

describe('the records of a batch', () => {
  for (const compressor of compressors) {
    test(`compressed with ${compressor.name} are those that were sent`, () => {
      fc.assert(fc.property(givenRecords, fc.nat(), (given, baseOffset) => {
        const bytes = repacked(recordBatch(given), compressor)
        const batch = new RecordBatch(bytes)
        batch.stamp(baseOffset, 5)
        assert.equal(batch.compression, compressor.compression)
        assert.ok(batch.isIntact())
        assert.deepEqual(open(bytes), given.map(({ key, value, timestamp, headers }, index) => ({
          offset: baseOffset + index, timestamp, key, value, headers: headers!.map(([name, header]) => ({ key: name, value: header })),
        })))
      }), { numRuns: 20 })
    })
  }

  test('have the time of the append where the topic asks for that', () => {
    const bytes = aBatch({ timestamps: [10, 20, 30] })
    new RecordBatch(bytes).stampAppendTime(99)
    assert.ok(new RecordBatch(bytes).isIntact())
    assert.deepEqual(open(bytes).map(({ timestamp }) => timestamp), [99, 99, 99])
  })

  test('of a marker are its type', () => {
    const [marker] = open(aMarker({ producerId: 5, isCommit: true, baseOffset: 7 }))
    assert.equal(marker!.key!.readInt16BE(2), 1)
    assert.equal(marker!.offset, 7)
  })

  test('are refused where the batch counts more or fewer of them than there are', () => {
    for (const recordCount of [2, 4, 0x7fff_ffff]) {
      assert.throws(() => open(aBatch({ records: 3, fields: { recordCount } })), MalformedMessage)
    }
    assert.throws(() => open(aBatch({ records: 3, fields: { recordCount: -1 } })), MalformedMessage)
  })

  test('are refused with an unknown compression', () => {
    assert.throws(() => open(aBatch({ fields: { attributes: 7 } })), /unknown compression/)
  })

  test('that are damaged anywhere are refused or read, never anything else', () => {
    const bytes = recordBatch([{ key: Buffer.from('k'), value: Buffer.from('value'), headers: [['name', Buffer.from('x')], ['n', null]] }, { value: null }])
    for (let at = 61; at < bytes.length; at++) {
      for (let value = 0; value < 256; value++) {
        const changed = Buffer.from(bytes)
        changed[at] = value
        try {
          open(changed)
        } catch (cause) {
          assert.ok(cause instanceof MalformedMessage, String(cause))
        }
      }
    }
  })

  for (const [name, hex] of [
    ['with an offset before the batch', '0c' + '000001' + '0101' + '00'],
    ['with an offset behind the batch', '0c' + '000002' + '0101' + '00'],
    ['with a length beyond the batch', '7e' + '000000' + '0101' + '00'],
    ['with a negative length', '01' + '000000' + '0101' + '00'],
    ['with a key beyond the batch', '0c' + '000000' + '7e01' + '00'],
    ['with a varint that does not end', '0c' + '00' + 'ffffffffffffffffffffff'],
    ['with a length beyond 32 bits', '0c' + '00' + '00' + '00' + 'ffffffff7f01' + '00'],
    ['with a negative number of headers', '0c' + '000000' + '0101' + '01'],
    ['with a header without a key', '0e' + '000000' + '0101' + '02' + '01'],
    ['with bytes left behind', '0e' + '000000' + '0101' + '00' + '00'],
    ['with fewer bytes than its length says', '0e' + '000000' + '0101' + '00'],
  ] as const) {
    test(`${name} are refused`, () => {
      const payload = Buffer.from(hex, 'hex')
      const bytes = repacked(aBatch(), { name, compression: 'none', pack: () => payload })
      assert.throws(() => open(bytes), MalformedMessage)
    })
  }

  test('that nobody asks for are not read', () => {
    const bytes = aBatch({ records: 2 })
    bytes[bytes.length - 1] = 0x7f
    assert.equal(recordsOf(new RecordBatch(bytes), { bytesMax }).next().done, false)
  })
})

describe('a batch', () => {
  test('is seen without being copied', () => {
    const bytes = aBatch({ baseOffset: 5, records: 3, producerId: 9, producerEpoch: 2, baseSequence: 0x7fff_ffff, isTransactional: true })
    const batch = new RecordBatch(bytes)
    assert.deepEqual(
      [batch.baseOffset, batch.lastOffset, batch.endOffset, batch.length, batch.magic, batch.recordCount], [5, 7, 8, bytes.length, 2, 3],
    )
    assert.deepEqual([batch.producerId, batch.producerEpoch, batch.baseSequence, batch.lastSequence], [9, 2, 0x7fff_ffff, 1])
    assert.deepEqual([batch.isTransactional, batch.isControl, batch.hasLogAppendTime, batch.hasDeleteHorizon], [true, false, false, false])
    assert.equal(batch.payload.buffer, bytes.buffer)
  })

  test('keeps its checksum when it is given its place', () => {
    const bytes = aBatch({ records: 3 })
    const { crc } = new RecordBatch(bytes)
    new RecordBatch(bytes).stamp(2 ** 52, 77)
    assert.equal(new RecordBatch(bytes).baseOffset, 2 ** 52)
    assert.equal(new RecordBatch(bytes).leaderEpoch, 77)
    assert.equal(new RecordBatch(bytes).crc, crc)
    assert.ok(new RecordBatch(bytes).isIntact())
  })

  test('is not intact after any change behind its checksum', () => {
    const bytes = aBatch({ valueBytes: 20 })
    for (let at = 21; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = changed[at]! ^ 1
      assert.equal(new RecordBatch(changed).isIntact(), false)
    }
  })

  test('without a sequence has none for its last record', () => {
    assert.equal(new RecordBatch(aBatch({ records: 5 })).lastSequence, -1)
    assert.deepEqual([nextSequence(0x7fff_ffff, 1), nextSequence(0x7fff_fffe, 1), nextSequence(5, 10)], [0, 0x7fff_ffff, 15])
  })

  test('stops an iteration where it is torn or impossible', () => {
    const [one, other] = [aBatch({ baseOffset: 0 }), aBatch({ baseOffset: 1 })]
    const both = Buffer.concat([one, other])
    for (let length = 0; length <= both.length; length++) {
      const found = [...batchesIn(both.subarray(0, length))].length
      assert.equal(found, length < one.length ? 0 : length < both.length ? 1 : 2)
    }
    for (const impossible of [-1, 0, 48, -0x8000_0000, 0x7fff_ffff]) {
      const bytes = Buffer.concat([one, other])
      bytes.writeInt32BE(impossible, one.length + 8)
      assert.equal([...batchesIn(bytes)].length, 1)
    }
    assert.equal(batchLengthAt(one, one.length - 11), undefined)
    assert.equal([...batchesIn(both, one.length)][0]!.baseOffset, 1)
  })
})
