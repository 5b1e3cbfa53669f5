// One group of rows on its way into new objects. What was filtered waits in memory until an object is full; stored, it is
// read back, and what must be in it is counted again. See `CompactionIo` for the order of the calls.

import { BatchFilter, type FilterCounts } from '../../compaction/batch-filter.ts'
import type { KeyMap } from '../../compaction/key-map.ts'
import { emptied } from '../../compaction/rewritten-batch.ts'
import type { AbortedTransaction } from '../../log/sealed-segment.ts'
import { MalformedMessage } from '../../protocol/reader.ts'
import { RecordBatch } from '../../protocol/record-batch.ts'
import { distinctAborted, type EpochEntry } from '../object-sections.ts'
import { TierError } from '../tier-error.ts'
import type { TierIoLimits, UploadJob } from '../tier-io.ts'
import type { TieredSegment } from '../tiered-segment.ts'
import type { CompactionGroup, CompactionOpening, FilledObject } from './compaction-io.ts'
import { type BuiltObject, ObjectBuilder } from './object-builder.ts'
import type { ProducersAtEnd, RowSections } from './row-sections.ts'
import { Survivors } from './survivors.ts'

export interface GroupRewriteOptions {
  readonly group: CompactionGroup
  readonly opening: CompactionOpening
  readonly map: KeyMap
  /** Of the rows, in their order. */
  readonly sections: readonly RowSections[]
  /** Producers where the group begins. */
  readonly before: ProducersAtEnd
  /** Producers where the pass ends. */
  readonly atEnd: ProducersAtEnd
  readonly limits: TierIoLimits
  batchesOf(row: TieredSegment, sections: RowSections): AsyncIterable<RecordBatch>
}

interface KeptBatch {
  readonly batch: RecordBatch
  readonly row: TieredSegment
  readonly sections: RowSections
}

/** Were a new object smaller than that part of the largest row, the new rows would not fit into one commit. */
const objectsPerRowMax = 20

/** An object that is full, and all that its footer will say. */
export interface FullObject extends FilledObject {
  readonly builder: ObjectBuilder
  readonly epochs: readonly EpochEntry[]
  readonly producers: Buffer
  readonly aborted: readonly AbortedTransaction[]
}

export class GroupRewrite {
  readonly #options: GroupRewriteOptions
  readonly #filter: BatchFilter
  readonly #kept: AsyncGenerator<KeptBatch>
  readonly #objectBytes: number
  readonly #sealedAt: number
  readonly #expected: Survivors
  readonly #found: Survivors
  #waiting: KeptBatch | undefined
  #nextOffset: number

  constructor(options: GroupRewriteOptions) {
    const { group: { rows, passEnd, objectBytes }, opening, map, sections, before, atEnd, limits } = options
    const aborted = distinctAborted(sections.flatMap((one) => one.aborted))
    const inflatedBytesMax = limits.recordsBytesMax
    this.#options = options
    this.#nextOffset = rows[0]!.baseOffset
    this.#sealedAt = Math.max(...rows.map(({ sealedAt }) => sealedAt))
    const largest = Math.max(...rows.map(({ batchesBytes }) => batchesBytes))
    this.#objectBytes = Math.max(objectBytes, Math.ceil(largest / objectsPerRowMax))
    this.#filter = new BatchFilter({
      map, mapEndOffset: passEnd, transactions: { aborted, openProducers: before.open }, lastOfProducers: atEnd.last,
      roundEndOffset: rows.at(-1)!.endOffset, now: opening.now, deleteRetentionMs: opening.deleteRetentionMs, inflatedBytesMax,
    })
    const counted = { map, mapEndOffset: passEnd, aborted, inflatedBytesMax }
    this.#expected = new Survivors(counted)
    this.#found = new Survivors(counted)
    this.#kept = this.#filtered()
  }

  get counts(): FilterCounts {
    return this.#filter.counts
  }

  /** Undefined: nothing is left of the group. Throws `TierError`. */
  async next(): Promise<FullObject | undefined> {
    const { rows } = this.#options.group
    const start = this.#nextOffset
    const groupEnd = rows.at(-1)!.endOffset
    const { limits } = this.#options
    const range = { start, end: groupEnd, now: this.#options.opening.now }
    const builder = new ObjectBuilder(range, { ...limits, chunkBytes: limits.uploadChunkBytes })
    let last: KeptBatch | undefined
    for (;;) {
      this.#waiting ??= await this.#pull()
      const { batch } = this.#waiting ?? {}
      if (batch === undefined || (last !== undefined && builder.bytes + batch.length > this.#objectBytes)) break
      builder.add(batch)
      last = this.#waiting
      this.#waiting = undefined
    }
    if (last === undefined) return undefined
    const end = this.#waiting?.batch.baseOffset ?? groupEnd
    this.#nextOffset = end
    return this.#full(builder, { start, end, last })
  }

  #full(builder: ObjectBuilder, { start, end, last }: { start: number; end: number; last: KeptBatch }): FullObject {
    const { group: { rows }, sections } = this.#options
    const isLast = this.#waiting === undefined
    const row = isLast ? rows.at(-1)! : last.row
    const { epochs, producers } = isLast ? sections.at(-1)! : last.sections
    return {
      builder, baseOffset: start, endOffset: end, epoch: row.epoch, sealedAt: this.#sealedAt, horizonMs: builder.horizonMs,
      epochs: epochs.filter(({ startOffset }, index) => index === 0 || startOffset < end),
      // What the producers were where no row ended is known to nobody: whoever began there would let them go on from anywhere.
      producers: isLast ? producers : nothing,
      aborted: this.#filter.abortedKept.filter(({ lastOffset }) => lastOffset >= start && lastOffset < end),
    }
  }

  /** Takes in what the store gave back of an object. */
  check(batch: RecordBatch): void {
    this.#found.add(batch)
  }

  /** Throws `TierError` `damaged` where what must be left of the rows is not in the objects. */
  checkAll(): void {
    if (this.#found.equals(this.#expected)) return
    const { rows } = this.#options.group
    throw new TierError(
      'damaged', `compacting [${rows[0]!.baseOffset}, ${rows.at(-1)!.endOffset}): ${this.#expected.count} records have to be left, ` +
        `and those that the store has are others (${this.#found.count})`
    )
  }

  /** What the footer of a full object is made of. */
  build(full: FullObject, generation: number): BuiltObject {
    const { topicId, partition } = this.#options.opening
    const job: Omit<UploadJob, 'key' | 'path' | 'fileBytes'> = {
      topicId, partition, start: full.baseOffset, end: full.endOffset, epoch: full.epoch, generation, sealedAt: full.sealedAt,
      epochs: full.epochs, producers: full.producers, aborted: full.aborted,
    }
    return full.builder.finish(job)
  }

  async #pull(): Promise<KeptBatch | undefined> {
    try {
      const next = await this.#kept.next()
      return next.done === true ? undefined : next.value
    } catch (cause) {
      if (cause instanceof MalformedMessage) throw new TierError('damaged', cause.message, cause)
      throw cause
    }
  }

  /** The last batch of the group stays, if need be without records: so every offset of a row has a batch at it or behind it. */
  async *#filtered(): AsyncGenerator<KeptBatch> {
    const { group: { rows }, sections, batchesOf } = this.#options
    let dropped: KeptBatch | undefined
    for (const [index, row] of rows.entries()) {
      const own = sections[index]!
      for await (const batch of batchesOf(row, own)) {
        this.#expected.add(batch)
        const kept = this.#filter.filter(batch)
        dropped = kept === undefined ? { batch, row, sections: own } : undefined
        if (kept !== undefined) yield { batch: kept === batch.bytes ? batch : new RecordBatch(kept), row, sections: own }
      }
    }
    if (dropped !== undefined) yield { ...dropped, batch: new RecordBatch(emptied(dropped.batch)) }
  }
}

const nothing = Buffer.alloc(0)
