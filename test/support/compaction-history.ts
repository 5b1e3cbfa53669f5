// A log with several producers, transactions and tombstones, as bytes, and the same as plain objects for a model that knows
// nothing of bytes. Every batch says to which transaction it belongs and how that ends.

import { compress } from '../../broker/protocol/compression/compress.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { type Compression, compressionNames, RecordBatch } from '../../broker/protocol/record-batch.ts'
import type { AbortedTransaction } from '../../broker/log/sealed-segment.ts'
import { aMarker, aMoment } from './a-batch.ts'
import { recordBatch } from './record-batches.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface PlainRecord {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
}

export interface PlainBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly producerId: number
  readonly epoch: number
  readonly sequence: number
  /** Undefined: in none. */
  readonly transaction: PlainTransaction | undefined
  readonly isMarker: boolean
  readonly records: readonly PlainRecord[]
  readonly horizon: number | undefined
  readonly bytes: Buffer
}

export interface PlainTransaction {
  readonly id: number
  readonly producerId: number
  readonly isAborted: boolean
  readonly firstOffset: number
  /** Of its marker. */
  lastOffset: number
}

export interface HistoryShape {
  readonly batches: number
  readonly keys: number
  readonly producers: number
  readonly compressions: readonly Compression[]
}

/** Every transaction in it is ended. */
export function aHistory(random: SeededRandom, shape: HistoryShape): PlainBatch[] {
  const batches: PlainBatch[] = []
  const open = new Map<number, PlainTransaction>()
  const sequences = new Map<number, number>()
  let offset = random.below(3) * 1000
  let transactions = 0
  const end = (transaction: PlainTransaction) => {
    open.delete(transaction.producerId)
    transaction.lastOffset = offset
    batches.push(markerOf(transaction, offset++))
  }
  for (let index = 0; index < shape.batches; index++) {
    const producerId = random.below(shape.producers + 1) - 1
    let transaction = open.get(producerId)
    if (transaction !== undefined && random.below(3) === 0) {
      end(transaction)
      continue
    }
    // The first half of the producers is transactional.
    if (transaction === undefined && producerId >= 0 && producerId < shape.producers / 2) {
      transaction = { id: transactions++, producerId, isAborted: random.below(2) === 0, firstOffset: offset, lastOffset: -1 }
      open.set(producerId, transaction)
    }
    const sequence = producerId < 0 ? -1 : sequences.get(producerId) ?? 0
    const batch = dataBatch(random, shape, { baseOffset: offset, producerId, sequence, transaction })
    if (producerId >= 0) sequences.set(producerId, sequence + batch.records.length)
    batches.push(batch)
    offset = batch.lastOffset + 1
  }
  for (const transaction of [...open.values()]) end(transaction)
  return batches
}

function dataBatch(
  random: SeededRandom, shape: HistoryShape,
  of: { baseOffset: number; producerId: number; sequence: number; transaction: PlainTransaction | undefined },
): PlainBatch {
  const { baseOffset, producerId, sequence, transaction } = of
  const records: PlainRecord[] = Array.from({ length: 1 + random.below(6) }, (_, index) => ({
    offset: baseOffset + index,
    key: random.below(40) === 0 ? null : `key-${random.below(shape.keys)}`,
    value: random.below(4) === 0 ? null : `value of ${baseOffset + index} ${'x'.repeat(random.below(40))}`,
    // Neither in order nor always there.
    timestamp: random.below(20) === 0 ? -1 : aMoment + random.below(100_000) - 50_000,
  }))
  const compression = shape.compressions[random.below(shape.compressions.length)]!
  const epoch = producerId < 0 ? -1 : 0
  const bytes = withAttributes(recordBatch(
    records.map(({ key, value, timestamp }) => ({ key: key === null ? null : Buffer.from(key), value: value === null ? null : Buffer.from(value), timestamp })),
    { producerId, producerEpoch: epoch, baseSequence: sequence },
  ), { compression, isTransactional: transaction !== undefined })
  new RecordBatch(bytes).stamp(baseOffset, 3)
  return {
    baseOffset, lastOffset: baseOffset + records.length - 1, producerId, epoch, sequence, transaction, isMarker: false, records,
    horizon: undefined, bytes,
  }
}

function withAttributes(batch: Buffer, how: { compression: Compression; isTransactional: boolean }): Buffer {
  const bytes = Buffer.concat([batch.subarray(0, 61), compress(how.compression, batch.subarray(61))])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt16BE(compressionNames.indexOf(how.compression) | (how.isTransactional ? 0x10 : 0), 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

function markerOf(transaction: PlainTransaction, baseOffset: number): PlainBatch {
  const { producerId, isAborted } = transaction
  return {
    baseOffset, lastOffset: baseOffset, producerId, epoch: 0, sequence: -1, transaction, isMarker: true, horizon: undefined,
    records: [{ offset: baseOffset, key: null, value: null, timestamp: aMoment }],
    bytes: aMarker({ producerId, isCommit: !isAborted, baseOffset, leaderEpoch: 3 }),
  }
}

/** What the index of aborted transactions says of a log. */
export function abortedOf(batches: readonly PlainBatch[]): AbortedTransaction[] {
  return batches.flatMap(({ isMarker, transaction }) => isMarker && transaction!.isAborted
    ? [{ producerId: transaction!.producerId, firstOffset: transaction!.firstOffset, lastOffset: transaction!.lastOffset,
      lastStableOffset: transaction!.lastOffset + 1 }]
    : [])
}
