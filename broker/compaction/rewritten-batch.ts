// A batch that lost records, in bytes. Offsets, sequence, epochs, producer and compression are those of the batch that it was;
// record count, checksum, largest timestamp and, with a delete horizon (KIP-534), base timestamp are its own.

import { compress } from '../protocol/compression/compress.ts'
import { batchHeaderBytes, type RecordBatch, rewriteHeader } from '../protocol/record-batch.ts'
import type { RecordCursor } from './record-cursor.ts'

/** The records of one batch that stay. They are copied as they lie; only a new base timestamp makes them be written anew. */
export class KeptRecords {
  readonly #batch: RecordBatch
  /** Start, attributes, rest and end of each, and its timestamp delta: five numbers a record. */
  readonly #places: number[] = []
  #bytes = 0
  #maxTimestampDelta = -Infinity
  #count = 0
  #hasTombstones = false

  constructor(batch: RecordBatch) {
    this.#batch = batch
  }

  get count(): number {
    return this.#count
  }

  get hasTombstones(): boolean {
    return this.#hasTombstones
  }

  add({ start, bodyStart, restStart, end, timestampDelta, hasValue }: RecordCursor): void {
    this.#places.push(start, bodyStart, restStart, end, timestampDelta)
    this.#bytes += end - start
    this.#count++
    if (timestampDelta > this.#maxTimestampDelta) this.#maxTimestampDelta = timestampDelta
    if (!hasValue) this.#hasTombstones = true
  }

  /** `source`: what the cursor walked over. `horizon`: a delete horizon that is set with this, wall clock in milliseconds. */
  encode(source: Buffer, horizon: number | undefined): Buffer {
    const batch = this.#batch
    const { baseTimestamp, hasLogAppendTime } = batch
    const records = horizon === undefined ? this.#copied(source) : this.#shifted(source, baseTimestamp - horizon)
    const payload = compress(batch.compression!, records)
    const bytes = Buffer.allocUnsafeSlow(batchHeaderBytes + payload.length)
    batch.bytes.copy(bytes, 0, 0, batchHeaderBytes)
    payload.copy(bytes, batchHeaderBytes)
    rewriteHeader(bytes, {
      recordCount: this.#count,
      maxTimestamp: hasLogAppendTime ? batch.maxTimestamp : baseTimestamp + this.#maxTimestampDelta,
      ...(horizon === undefined ? {} : { deleteHorizon: horizon }),
    })
    return bytes
  }

  #copied(source: Buffer): Buffer {
    const places = this.#places
    const records = Buffer.allocUnsafeSlow(this.#bytes)
    let filled = 0
    for (let at = 0; at < places.length; at += 5) {
      // Neighbours that both stay are copied together.
      const start = places[at]!
      while (places[at + 5] === places[at + 3]) at += 5
      filled += source.copy(records, filled, start, places[at + 3])
    }
    return records
  }

  /** With `shift` added to every timestamp delta. */
  #shifted(source: Buffer, shift: number): Buffer {
    const places = this.#places
    // A length and a delta grow by 4 and 9 bytes at most.
    const records = Buffer.allocUnsafeSlow(this.#bytes + this.#count * 13)
    let filled = 0
    for (let at = 0; at < places.length; at += 5) {
      const bodyStart = places[at + 1]!
      const restStart = places[at + 2]!
      const end = places[at + 3]!
      const delta = places[at + 4]! + shift
      filled = writeVarint(records, filled, 1 + varintBytes(delta) + end - restStart)
      records[filled++] = source[bodyStart]!
      filled = writeVarint(records, filled, delta)
      filled += source.copy(records, filled, restStart, end)
    }
    return records.subarray(0, filled)
  }
}

/** The batch without records and compression, as Kafka writes one that is kept for its sequence. */
export function emptied(batch: RecordBatch): Buffer {
  const bytes = Buffer.from(batch.bytes.subarray(0, batchHeaderBytes))
  rewriteHeader(bytes, { recordCount: 0, maxTimestamp: batch.maxTimestamp, isEmptied: true })
  return bytes
}

/** Zigzag: small distances from 0 are short, both ways. */
function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let left = zigzag(value); left >= 128; left = Math.floor(left / 128)) bytes++
  return bytes
}

function writeVarint(into: Buffer, at: number, value: number): number {
  let left = zigzag(value)
  let end = at
  for (; left >= 128; left = Math.floor(left / 128)) into[end++] = (left % 128) | 0x80
  into[end++] = left
  return end
}
