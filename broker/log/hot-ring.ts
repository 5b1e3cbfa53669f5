// The newest batches of all partitions, kept in memory for readers at the tail. They are copied, one after another, into
// slabs that are used again and again; when all slabs are full, the oldest one goes with everything that is in it.
//
//   oldest slab                                    newest slab
//   | a0 | b0 | a1 | c0 |  ...  | b7 | a9 |        | c3 | a10 | room |        a, b, c: partitions
//
// Readers are lent views on a slab until their reply was taken. A slab that goes while it is lent is left to the garbage
// collector instead of being used again: forgetting to give back costs speed, never data.

import type { RecordBatch } from '../protocol/record-batch.ts'

/** Of a small budget it is an eighth, for that is what goes at once. A larger batch gets a slab of its own. */
const slabBytesMax = 1024 * 1024

interface Slab {
  readonly memory: Buffer
  filled: number
  /** Replies that refer to it. */
  lent: number
  /** Whose batches are in it, in order. */
  readonly rings: HotRing[]
}

export interface LentBatches {
  readonly buffers: readonly Buffer[]
  /** Gives the memory back: once, when nobody can see it any more. */
  release(): void
}

export class HotBudget {
  readonly #bytesMax: number
  readonly #slabBytes: number
  #slabs: Slab[] = []
  /** Slabs that can be used again. */
  #free: Buffer[] = []
  #bytes = 0
  #keptBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#slabBytes = Math.min(Math.ceil(bytesMax / 8), slabBytesMax)
  }

  /** Of all slabs that hold batches. */
  get bytes(): number {
    return this.#bytes
  }

  /** Of all batches that were ever kept: it grows with every append. */
  get keptBytes(): number {
    return this.#keptBytes
  }

  /** Copies a batch, and makes room for it where there is none. Undefined: it is larger than everything. */
  keep(ring: HotRing, bytes: Buffer): { readonly slab: Slab; readonly start: number } | undefined {
    if (bytes.length > this.#bytesMax) return undefined
    let slab = this.#slabs.at(-1)
    if (slab === undefined || slab.filled + bytes.length > slab.memory.length) slab = this.#addSlab(bytes.length)
    const start = slab.filled
    bytes.copy(slab.memory, start)
    slab.filled = start + bytes.length
    this.#keptBytes += bytes.length
    slab.rings.push(ring)
    return { slab, start }
  }

  #addSlab(batchBytes: number): Slab {
    const size = Math.max(batchBytes, this.#slabBytes)
    while (this.#slabs.length > 0 && this.#bytes + size > this.#bytesMax) this.#dropOldest()
    const again = size === this.#slabBytes ? this.#free.pop() : undefined
    while (this.#free.length > 0 && this.#bytes + size + this.#free.length * this.#slabBytes > this.#bytesMax) this.#free.pop()
    const slab: Slab = { memory: again ?? Buffer.allocUnsafeSlow(size), filled: 0, lent: 0, rings: [] }
    this.#slabs.push(slab)
    this.#bytes += size
    return slab
  }

  #dropOldest(): void {
    const slab = this.#slabs.shift()!
    this.#bytes -= slab.memory.length
    for (const ring of slab.rings) ring.dropOldest(slab)
    if (slab.lent === 0 && slab.memory.length === this.#slabBytes) this.#free.push(slab.memory)
  }
}

interface HotBatch {
  readonly baseOffset: number
  readonly endOffset: number
  readonly slab: Slab
  readonly start: number
  readonly length: number
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

  /** Keeps a copy of a batch that follows the one before it. Without it what came before would end too early. */
  add(batch: RecordBatch): void {
    const { baseOffset, endOffset, bytes } = batch
    const kept = this.#budget.keep(this, bytes)
    if (kept === undefined) this.clear()
    else this.#batches.push({ baseOffset, endOffset, slab: kept.slab, start: kept.start, length: bytes.length })
  }

  /** Whole batches from the one that holds `offset`, which must be here. Neighbours in a slab come as one view. */
  read(
    range: { readonly offset: number; readonly endOffset: number; readonly bytesMax: number; readonly minOneBatch: boolean },
  ): LentBatches {
    const buffers: Buffer[] = []
    const slabs: Slab[] = []
    let bytes = 0
    let start = 0
    let end = -1
    for (let index = this.#find(range.offset); index < this.#batches.length; index++) {
      const batch = this.#batches[index]!
      if (batch.endOffset > range.endOffset) break
      if (bytes + batch.length > range.bytesMax && !(range.minOneBatch && bytes === 0)) break
      bytes += batch.length
      const slab = slabs.at(-1)
      if (slab !== batch.slab || end !== batch.start) {
        if (slab !== undefined) buffers.push(slab.memory.subarray(start, end))
        slabs.push(batch.slab)
        start = batch.start
      }
      end = batch.start + batch.length
    }
    const last = slabs.at(-1)
    if (last !== undefined) buffers.push(last.memory.subarray(start, end))
    return lend(buffers, slabs)
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

  /** For the budget: the slab goes, and with it the oldest batch of this ring that is in it. */
  dropOldest(slab: Slab): void {
    if (this.#batches[this.#first]?.slab !== slab) return
    // The entry stays for a while; what it refers to must not.
    this.#batches[this.#first++] = gone
    this.#trim()
  }

  #trim(): void {
    if (this.#first > 64 && this.#first * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#first)
      this.#first = 0
    }
  }

  /** Forgets what ends at or below an offset; the slabs go in their time. */
  forgetBelow(offset: number): void {
    while (this.#first < this.#batches.length && this.#batches[this.#first]!.endOffset <= offset) this.#batches[this.#first++] = gone
    this.#trim()
  }

  /** Forgets everything; the slabs go in their time. */
  clear(): void {
    this.#batches = []
    this.#first = 0
  }
}

const noSlab: Slab = { memory: Buffer.alloc(0), filled: 0, lent: 0, rings: [] }
const gone: HotBatch = { baseOffset: -1, endOffset: -1, slab: noSlab, start: 0, length: 0 }

function lend(buffers: readonly Buffer[], slabs: readonly Slab[]): LentBatches {
  for (const slab of slabs) slab.lent++
  return {
    buffers,
    release() {
      for (const slab of slabs) slab.lent--
    },
  }
}
