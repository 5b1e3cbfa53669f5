// Where in a segment an offset or a timestamp lies, roughly: sparse, in memory while the segment is used, and beside it
// on disk once it is sealed. An index is a cache: it is made anew from the batches where it is missing or damaged.

import { decodeChecked, encodeChecked } from './checked-file.ts'
import type { AbortedTransaction } from './sealed-segment.ts'

interface Stored {
  readonly version: 1
  /** Of the segment file: an index of another size is not of this segment. */
  readonly segmentBytes: number
  readonly maxTimestamp: number
  readonly offsets: readonly number[]
  readonly positions: readonly number[]
  readonly times: readonly (readonly [timestamp: number, offset: number])[]
  readonly aborted: readonly AbortedTransaction[]
}

export class SegmentIndex {
  readonly offsets: number[] = []
  readonly positions: number[] = []
  /** No record before `offset` has a larger timestamp than `timestamp`; ascending in both. */
  readonly times: { readonly timestamp: number; readonly offset: number }[] = []
  readonly aborted: AbortedTransaction[] = []
  /** -1: no record has one. */
  maxTimestamp = -1
  #indexedPosition = -1

  /** Takes note of a batch, in the order of the file. */
  note(
    batch: { readonly baseOffset: number; readonly maxTimestamp: number },
    at: { readonly position: number; readonly intervalBytes: number },
  ): void {
    const isDue = this.#indexedPosition < 0 || at.position - this.#indexedPosition >= at.intervalBytes
    if (isDue) {
      this.offsets.push(batch.baseOffset)
      this.positions.push(at.position)
      this.#indexedPosition = at.position
      // What lies before this batch has been seen whole: that is what the entry says.
      if (this.maxTimestamp > (this.times.at(-1)?.timestamp ?? -1)) {
        this.times.push({ timestamp: this.maxTimestamp, offset: batch.baseOffset })
      }
    }
    if (batch.maxTimestamp > this.maxTimestamp) this.maxTimestamp = batch.maxTimestamp
  }

  /** The position of a batch at or before the one with this offset. */
  positionBefore(offset: number): number {
    let low = 0
    let high = this.offsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.offsets[middle]! <= offset) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.positions[low - 1]!
  }

  /** The position of a batch at or before the first one with a record at or behind this timestamp. */
  positionBeforeTimestamp(timestamp: number): number {
    let offset = -1
    for (const entry of this.times) {
      if (entry.timestamp >= timestamp) break
      offset = entry.offset
    }
    return offset < 0 ? 0 : this.positionBefore(offset)
  }

  /** The largest timestamp before an offset, as far as is known without the last few batches. */
  maxTimestampBefore(offset: number): number {
    return this.times.findLast((entry) => entry.offset <= offset)?.timestamp ?? -1
  }

  encode(segmentBytes: number): Buffer {
    const stored: Stored = {
      version: 1, segmentBytes, maxTimestamp: this.maxTimestamp, offsets: this.offsets, positions: this.positions,
      times: this.times.map(({ timestamp, offset }) => [timestamp, offset]), aborted: this.aborted,
    }
    return encodeChecked(stored)
  }

  /** Undefined: damaged, or of another file. */
  static decode(bytes: Buffer, segmentBytes: number): SegmentIndex | undefined {
    const stored = decodeChecked<Stored>(bytes)?.value
    if (stored?.version !== 1 || stored.segmentBytes !== segmentBytes) return undefined
    const index = new SegmentIndex()
    index.maxTimestamp = stored.maxTimestamp
    // Not by spreading: a spread of many thousand arguments overflows the stack.
    for (const offset of stored.offsets) index.offsets.push(offset)
    for (const position of stored.positions) index.positions.push(position)
    for (const [timestamp, offset] of stored.times) index.times.push({ timestamp, offset })
    for (const one of stored.aborted) index.aborted.push(one)
    index.#indexedPosition = index.positions.at(-1) ?? -1
    return index
  }
}
