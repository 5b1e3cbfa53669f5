// The records inside a batch (KIP-98), each behind its length; all numbers are zigzag varints:
//
//   | length | attributes 1 | timestamp delta | offset delta | key length | key | value length | value |
//   | header count | key length | key | value length | value | ...
//
// A length of -1 stands for null.

import { decompress } from './compression/decompress.ts'
import { MalformedMessage } from './reader.ts'
import type { RecordBatch } from './record-batch.ts'

export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** Key and value are views on the batch, or on what it was decompressed to. */
export interface Record {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

/**
 * Opens a batch. Throws `MalformedMessage` where it is damaged, holds more than `bytesMax` once it is decompressed, or has
 * records that are not in order within its range of offsets (there may be gaps, where compaction took some).
 */
export function* recordsOf(batch: RecordBatch, options: { readonly bytesMax: number }): Generator<Record> {
  const { compression, recordCount, baseOffset, baseTimestamp, lastOffsetDelta, hasLogAppendTime, maxTimestamp } = batch
  if (compression === undefined) throw new MalformedMessage('an unknown compression')
  const reader = new RecordReader(decompress(compression, batch.payload, options.bytesMax))
  for (let index = 0, deltaBefore = -1; index < recordCount; index++) {
    const end = reader.varint() + reader.position
    reader.attributes()
    const timestamp = baseTimestamp + reader.varlong()
    const delta = reader.varint()
    if (delta <= deltaBefore || delta > lastOffsetDelta) throw new MalformedMessage(`record ${index} at ${delta} of ${lastOffsetDelta}`)
    deltaBefore = delta
    const key = reader.bytes()
    const value = reader.bytes()
    const headers = reader.headers()
    if (reader.position !== end) throw new MalformedMessage(`record ${index} does not end where its length says`)
    yield { offset: baseOffset + delta, timestamp: hasLogAppendTime ? maxTimestamp : timestamp, key, value, headers }
  }
  if (!reader.isAtEnd) throw new MalformedMessage('bytes are left behind the records of a batch')
}

class RecordReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get position(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  attributes(): void {
    this.#take(1)
  }

  #take(length: number): number {
    const start = this.#at
    if (length < 0 || start + length > this.#bytes.length) throw new MalformedMessage(`${length} bytes announced in a record`)
    this.#at = start + length
    return start
  }

  varint(): number {
    const value = this.#zigzag(5)
    if (value > 0x7fff_ffff || value < -0x8000_0000) throw new MalformedMessage('a varint beyond 32 bits')
    return value
  }

  varlong(): number {
    return this.#zigzag(10)
  }

  /** As a number: what is beyond 2^53 loses its last bits, which no timestamp has. */
  #zigzag(bytesMax: number): number {
    let value = 0
    for (let index = 0; index < bytesMax; index++) {
      const byte = this.#bytes[this.#take(1)]!
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    throw new MalformedMessage('a varint without an end')
  }

  bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  headers(): RecordHeader[] {
    const headers: RecordHeader[] = []
    const count = this.varint()
    if (count < 0) throw new MalformedMessage(`${count} headers`)
    for (let left = count; left > 0; left--) {
      const key = this.bytes()
      if (key === null) throw new MalformedMessage('a header without a key')
      headers.push({ key: key.toString(), value: this.bytes() })
    }
    return headers
  }
}
