// Walks over the records of a batch, as they lie behind each other once they are decompressed, and makes nothing for any
// of them: compaction looks at every record of a log twice. `recordsOf` (protocol/records.ts) is for those who want values.

import { MalformedMessage } from '../protocol/reader.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'

/** What `next` found is in the fields until it is called again. */
export class RecordCursor {
  readonly bytes: Buffer
  readonly #count: number
  readonly #lastDelta: number
  #index = 0
  #at = 0
  /** Of the whole record, the length in front of it included. */
  start = 0
  end = 0
  /** Where its attributes are, behind the length. */
  bodyStart = 0
  timestampDelta = 0
  /** Where its offset delta is, behind the timestamp's. */
  restStart = 0
  offsetDelta = -1
  hasKey = false
  keyStart = 0
  keyEnd = 0
  /** False: a tombstone. */
  hasValue = false

  /** `bytes`: the batch's payload, decompressed. */
  constructor(batch: RecordBatch, bytes: Buffer) {
    this.bytes = bytes
    this.#count = batch.recordCount
    this.#lastDelta = batch.lastOffsetDelta
  }

  /** Moves to the next record; false: there is none. Throws `MalformedMessage` where the bytes are no records. */
  next(): boolean {
    if (this.#index === this.#count) {
      if (this.#at !== this.bytes.length) throw new MalformedMessage('bytes are left behind the records of a batch')
      return false
    }
    this.#index++
    this.start = this.#at
    const length = this.#varint()
    this.bodyStart = this.#at
    this.end = this.#at + length
    if (length < 0 || this.end > this.bytes.length) throw new MalformedMessage(`a record of ${length} bytes`)
    this.#at++
    this.timestampDelta = this.#varint()
    this.restStart = this.#at
    const offsetDelta = this.#varint()
    if (offsetDelta <= this.offsetDelta || offsetDelta > this.#lastDelta) {
      throw new MalformedMessage(`a record at ${offsetDelta} of ${this.#lastDelta}`)
    }
    this.offsetDelta = offsetDelta
    const keyLength = this.#skipBytes()
    this.hasKey = keyLength >= 0
    this.keyEnd = this.#at
    this.keyStart = this.#at - Math.max(keyLength, 0)
    this.hasValue = this.#skipBytes() >= 0
    // Headers follow, whose number is one byte at least; nobody here looks into them.
    if (this.#at >= this.end) throw new MalformedMessage('a record that is longer than its length says')
    this.#at = this.end
    return true
  }

  /** The length that was announced; negative: null. */
  #skipBytes(): number {
    const length = this.#varint()
    if (length > this.end - this.#at) throw new MalformedMessage(`${length} bytes announced in a record`)
    if (length > 0) this.#at += length
    return length
  }

  /** Up to 64 bits, of which a number holds 53: no length, delta or difference of two timestamps has more. */
  #varint(): number {
    const { bytes } = this
    let byte = bytes[this.#at++]
    if (byte === undefined) throw new MalformedMessage('a record without an end')
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    for (let scale = 128; scale < 2 ** 70; scale *= 128) {
      byte = bytes[this.#at++]
      if (byte === undefined) throw new MalformedMessage('a record without an end')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    throw new MalformedMessage('a varint without an end')
  }
}
