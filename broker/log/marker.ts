// The record of a control batch that ends a transaction (KIP-98): key = version 2 | type 2, value = version 2 |
// coordinator epoch 4. Control batches are never compressed.

import { batchHeaderBytes, newBatch, type RecordBatch } from '../protocol/record-batch.ts'
import type { Marker } from './producer-state.ts'

const abortType = 0
const commitType = 1

/** Undefined where the batch is no end-of-transaction marker. */
export function markerIn(batch: RecordBatch): Marker | undefined {
  if (!batch.isControl) return undefined
  // length, attributes, timestamp delta, offset delta, key length: varints; then the key.
  let at = skipVarint(batch.bytes, batchHeaderBytes) + 1
  at = skipVarint(batch.bytes, skipVarint(batch.bytes, at))
  const key = skipVarint(batch.bytes, at)
  const value = skipVarint(batch.bytes, key + 4)
  if (value + 6 > batch.length) return undefined
  const type = batch.bytes.readInt16BE(key + 2)
  if (type !== abortType && type !== commitType) return undefined
  return { isCommit: type === commitType, coordinatorEpoch: batch.bytes.readInt32BE(value + 2) }
}

/** The control batch that says it. `timestamp`: wall clock, milliseconds. */
export function markerBatch(
  of: Marker & { readonly producerId: number; readonly producerEpoch: number; readonly timestamp: number },
): Buffer {
  const record = Buffer.alloc(17)
  // Length 16, attributes, deltas of timestamp and offset 0; a key of 4 bytes and a value of 6; no headers. Varints are zigzag.
  record.writeUInt8(16 * 2, 0)
  record.writeUInt8(4 * 2, 4)
  record.writeInt16BE(of.isCommit ? commitType : abortType, 7)
  record.writeUInt8(6 * 2, 9)
  record.writeInt32BE(of.coordinatorEpoch, 12)
  const { producerId, producerEpoch, timestamp } = of
  return newBatch(record, { isTransactional: true, isControl: true, producerId, producerEpoch, timestamp, recordCount: 1 })
}

function skipVarint(bytes: Buffer, at: number): number {
  let end = at
  while (bytes[end]! >= 0x80) end++
  return end + 1
}
