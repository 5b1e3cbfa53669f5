// The newest batches of each partition, kept in memory for readers at the tail. All partitions share one budget; when it
// is spent, the batch that came first goes, whoever's it is.

import { RecordBatch } from '../protocol/record-batch.ts'

export class HotBudget {
  readonly #bytesMax: number
  /** Whose batch came when: the oldest batch of all is the oldest one of the first ring. */
  #order: (HotRing | undefined)[] = []
  #first = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  admit(ring: HotRing, bytes: number): void {
    this.#order.push(ring)
    this.#bytes += bytes
    while (this.#bytes > this.#bytesMax && this.#first < this.#order.length) {
      const oldest = this.#order[this.#first]
      this.#order[this.#first++] = undefined
      if (oldest !== undefined) this.#bytes -= oldest.dropOldest()
    }
    if (this.#first > 1024 && this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first)
      this.#first = 0
    }
  }

  /** A ring was emptied: its places in the order no longer stand for anything. */
  forget(ring: HotRing, bytes: number): void {
    this.#order = this.#order.slice(this.#first).filter((other) => other !== ring)
    this.#first = 0
    this.#bytes -= bytes
  }
}

interface HotBatch {
  readonly baseOffset: number
  readonly endOffset: number
  readonly bytes: Buffer
}

export class HotRing {
  readonly #budget: HotBudget
  #batches: HotBatch[] = []
  #first = 0

  constructor(budget: HotBudget) {
    this.#budget = budget
  }

  /** The first offset that is here; undefined where nothing is. */
  get startOffset(): number | undefined {
    return this.#batches[this.#first]?.baseOffset
  }

  /** Keeps a batch that follows the one before it. One that would pin a much larger buffer is copied. */
  add(batch: RecordBatch): void {
    const { bytes } = batch
    const kept = bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(new Uint8Array(bytes).buffer) : bytes
    this.#batches.push({ baseOffset: batch.baseOffset, endOffset: batch.endOffset, bytes: kept })
    this.#budget.admit(this, kept.length)
  }

  /** Whole batches from the one that holds `offset`, which must be here. */
  read(range: { readonly offset: number; readonly endOffset: number; readonly bytesMax: number; readonly minOneBatch: boolean }): Buffer[] {
    const found: Buffer[] = []
    let bytes = 0
    for (let index = this.#find(range.offset); index < this.#batches.length; index++) {
      const batch = this.#batches[index]!
      if (batch.endOffset > range.endOffset) break
      if (bytes + batch.bytes.length > range.bytesMax && !(range.minOneBatch && found.length === 0)) break
      found.push(batch.bytes)
      bytes += batch.bytes.length
    }
    return found
  }

  #find(offset: number): number {
    let low = this.#first
    let high = this.#batches.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.endOffset > offset) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Returns the bytes that this gave back. For the budget. */
  dropOldest(): number {
    const dropped = this.#batches[this.#first]!
    this.#batches[this.#first++] = vacant
    if (this.#first > 64 && this.#first * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#first)
      this.#first = 0
    }
    return dropped.bytes.length
  }

  clear(): void {
    let bytes = 0
    for (let index = this.#first; index < this.#batches.length; index++) bytes += this.#batches[index]!.bytes.length
    this.#batches = []
    this.#first = 0
    this.#budget.forget(this, bytes)
  }
}

const vacant: HotBatch = { baseOffset: -1, endOffset: -1, bytes: Buffer.alloc(0) }
