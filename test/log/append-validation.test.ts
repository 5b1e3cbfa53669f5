import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateAppend } from '../../broker/log/append-validation.ts'
import type { LogConfig } from '../../broker/log/log-config.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { MalformedMessage } from '../../broker/protocol/reader.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { aBatch, aMarker, aMoment } from '../support/a-batch.ts'
import { plainConfig } from './log-world.ts'

function verdict(records: Buffer, config: Partial<LogConfig> = {}, hasKeys = true): ErrorCode {
  const result = validateAppend(records, { config: { ...plainConfig, ...config }, now: aMoment, keyless: () => (hasKeys ? [] : [0]) })
  if (result instanceof RecordBatch) return ErrorCode.NONE
  assert(result.message.length > 0)
  return result.errorCode
}

function changed(batch: Buffer, change: (batch: Buffer) => unknown): Buffer {
  change(batch)
  return batch
}

const { NONE, CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE } = ErrorCode
const hour = 3_600_000

const cases: readonly (readonly [what: string, records: () => Buffer, expected: ErrorCode, config?: Partial<LogConfig>])[] = [
  ['an ordinary batch is taken', () => aBatch({ records: 3 }), NONE],
  ...(['gzip', 'snappy', 'zstd'] as const).map((compression) =>
    [`a batch with ${compression} is taken`, () => aBatch({ records: 3, compression }), NONE] as const),
  ['nothing is no batch', () => Buffer.alloc(0), INVALID_RECORD],
  ['a few bytes are no batch', () => aBatch().subarray(0, 11), INVALID_RECORD],
  ['a header that ends early is damaged', () => aBatch().subarray(0, 40), CORRUPT_MESSAGE],
  ['records that end early are damaged', () => aBatch().subarray(0, 100), CORRUPT_MESSAGE],
  ['a length below that of a header is damaged', () => changed(aBatch(), (batch) => batch.writeInt32BE(10, 8)), CORRUPT_MESSAGE],
  ['a negative length is damaged', () => changed(aBatch(), (batch) => batch.writeInt32BE(-1, 8)), CORRUPT_MESSAGE],
  ['a changed record is damaged', () => changed(aBatch(), (batch) => (batch[100]! ^= 1)), CORRUPT_MESSAGE],
  ['a changed checksum is damaged', () => changed(aBatch(), (batch) => (batch[17]! ^= 1)), CORRUPT_MESSAGE],
  ['a changed attribute is damaged', () => changed(aBatch(), (batch) => (batch[22]! ^= 1)), CORRUPT_MESSAGE],
  ['base offset and leader epoch are the broker\'s to set', () => aBatch({ baseOffset: 4711, leaderEpoch: 9 }), NONE],
  ['two batches are one too many', () => Buffer.concat([aBatch(), aBatch()]), INVALID_RECORD],
  ['messages of magic 1 are not supported', () => aBatch({ fields: { magic: 1 } }), INVALID_RECORD],
  ['small messages of magic 0 are not supported either', () => aBatch({ fields: { magic: 0 } }).subarray(0, 40), INVALID_RECORD],
  ['a batch as large as allowed is taken', () => aBatch({ valueBytes: 100 }), NONE, { batchBytesMax: aBatch({ valueBytes: 100 }).length }],
  ['a larger one is too large', () => aBatch({ valueBytes: 101 }), MESSAGE_TOO_LARGE, { batchBytesMax: aBatch({ valueBytes: 100 }).length }],
  ['an unknown compression is refused', () => aBatch({ fields: { attributes: 5 } }), UNSUPPORTED_COMPRESSION_TYPE],
  ['a control batch is refused', () => aMarker({ producerId: 7, isCommit: true }), INVALID_RECORD],
  ['a batch without records is refused', () => aBatch({ timestamps: [] }), INVALID_RECORD],
  ['a negative count of records is refused', () => aBatch({ fields: { recordCount: -1, lastOffsetDelta: -2 } }), INVALID_RECORD],
  ['offsets and records have to agree', () => aBatch({ records: 3, fields: { lastOffsetDelta: 3 } }), INVALID_RECORD],
  ['a producer needs an epoch', () => aBatch({ producerId: 7, producerEpoch: -1 }), INVALID_RECORD],
  ['a producer needs a sequence', () => aBatch({ producerId: 7, baseSequence: -1 }), INVALID_RECORD],
  ['a negative producer id is refused', () => aBatch({ producerId: -2, producerEpoch: 0, baseSequence: 0 }), INVALID_RECORD],
  ['an idempotent batch is taken', () => aBatch({ producerId: 7 }), NONE],
  ['a transaction needs a producer', () => aBatch({ isTransactional: true }), INVALID_RECORD],
  ['a transactional batch is taken', () => aBatch({ isTransactional: true, producerId: 7 }), NONE],
  ['a delete horizon is not the client\'s to set', () => aBatch({ fields: { attributes: 0x40 } }), INVALID_RECORD],
  ['nor is the time of the append', () => aBatch({ hasLogAppendTime: true }), INVALID_TIMESTAMP],
  ['nor is it where the broker sets it', () => aBatch({ hasLogAppendTime: true }), INVALID_TIMESTAMP, { hasLogAppendTime: true }],
  ['a timestamp within the hour ahead is taken', () => aBatch({ timestamp: aMoment + hour }), NONE],
  ['a timestamp further ahead is refused', () => aBatch({ timestamps: [aMoment, aMoment + hour + 1] }), INVALID_TIMESTAMP],
  ['an old timestamp is taken where no limit is set', () => aBatch({ timestamp: 1 }), NONE],
  ['a timestamp at the limit behind is taken', () => aBatch({ timestamp: aMoment - hour }), NONE, { timestampBeforeMsMax: hour }],
  ['a timestamp further behind is refused', () => aBatch({ timestamp: aMoment - hour - 1 }), INVALID_TIMESTAMP, { timestampBeforeMsMax: hour }],
  ['no timestamp is never too old', () => aBatch({ timestamp: -1 }), NONE, { timestampBeforeMsMax: hour }],
  ['where the broker sets timestamps those of clients do not matter', () => aBatch({ timestamp: aMoment + 2 * hour }), NONE, { hasLogAppendTime: true }],
]

for (const [what, records, expected, config] of cases) test(what, () => assert.equal(verdict(records(), config), expected))

test('a compacted topic takes only records with keys, and others are not opened', () => {
  assert.equal(verdict(aBatch({ hasKeys: true }), { isCompacted: true }, true), NONE)
  assert.equal(verdict(aBatch(), { isCompacted: true }, false), INVALID_RECORD)
  assert.equal(verdict(aBatch(), { isCompacted: false }, false), NONE)
})

test('a number that nobody can mean is refused, not thrown', () => {
  for (const at of [27, 35, 43]) {
    const batch = aBatch({ producerId: 7 })
    batch.writeBigInt64BE(2n ** 62n, at)
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
    for (const hasLogAppendTime of [false, true]) assert.equal(verdict(batch, { hasLogAppendTime }), INVALID_RECORD)
  }
})

test('what cannot be opened has no keys', () => {
  const context = { config: { ...plainConfig, isCompacted: true }, now: aMoment, keyless: () => { throw new MalformedMessage('a varint without an end') } }
  const refused = validateAppend(aBatch(), context)
  assert.equal('errorCode' in refused && refused.errorCode, INVALID_RECORD)
})

test('no bit of a batch can be changed behind what the broker stamps without being noticed', () => {
  const batch = aBatch({ records: 2, valueBytes: 20, producerId: 7 })
  for (let bit = 16 * 8; bit < batch.length * 8; bit++) {
    const flipped = Buffer.from(batch)
    flipped[bit >>> 3]! ^= 1 << (bit & 7)
    assert.notEqual(verdict(flipped), NONE, `bit ${bit}`)
  }
})
