// What must be in the new objects of a group, worked out a second time and in another way than by the filter that made them:
// the newest record of each key, unless it is a tombstone or was aborted. The rows are asked before, and the objects, as they
// are read back from the store, after.

import { openRecords } from '../../compaction/open-records.ts'
import type { KeyMap } from '../../compaction/key-map.ts'
import type { AbortedTransaction } from '../../log/sealed-segment.ts'
import { MalformedMessage } from '../../protocol/reader.ts'
import type { RecordBatch } from '../../protocol/record-batch.ts'

export interface SurvivorOptions {
  readonly map: Pick<KeyMap, 'get'>
  /** Exclusive: what the map covers. */
  readonly mapEndOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** Of one batch, decompressed. */
  readonly inflatedBytesMax: number
}

export class Survivors {
  readonly #options: SurvivorOptions
  readonly #aborted = new Map<number, AbortedTransaction[]>()
  #count = 0
  /** Of their offsets, each as a number below 2^32 that another one hardly has; modulo 2^52. */
  #sum = 0

  constructor(options: SurvivorOptions) {
    this.#options = options
    for (const one of options.aborted) this.#aborted.set(one.producerId, [...(this.#aborted.get(one.producerId) ?? []), one])
  }

  get count(): number {
    return this.#count
  }

  add(batch: RecordBatch): void {
    if (batch.isControl || batch.recordCount === 0 || this.#isAborted(batch)) return
    const { map, mapEndOffset, inflatedBytesMax } = this.#options
    const { baseOffset } = batch
    try {
      const records = openRecords(batch, inflatedBytesMax)
      while (records.next()) {
        const offset = baseOffset + records.offsetDelta
        if (!records.hasKey || !records.hasValue) continue
        if (offset < mapEndOffset && map.get(records.bytes, records) > offset) continue
        this.#count++
        this.#sum = (this.#sum + spread(offset)) % 2 ** 52
      }
    } catch (cause) {
      // It stays as it is, and says the same again when it is read back.
      if (!(cause instanceof MalformedMessage)) throw cause
    }
  }

  equals(other: Survivors): boolean {
    return this.#count === other.#count && this.#sum === other.#sum
  }

  #isAborted(batch: RecordBatch): boolean {
    if (!batch.isTransactional) return false
    const { baseOffset, lastOffset } = batch
    return this.#aborted.get(batch.producerId)?.some((one) => one.firstOffset <= baseOffset && lastOffset <= one.lastOffset) ?? false
  }
}

/** So that offsets which are exchanged for others of the same sum come to light. */
function spread(offset: number): number {
  let mixed = Math.imul(offset | 0, 0x9e3779b1) ^ Math.imul(Math.floor(offset / 2 ** 32), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return (mixed ^ (mixed >>> 13)) >>> 0
}
