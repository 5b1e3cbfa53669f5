// A log as compaction sees it: the sealed segments, what it has to know of producers and transactions, and how what it makes
// of them comes into the log. What stays of a batch is decided elsewhere (compaction/).

import { batchHeaderBytes, RecordBatch } from '../protocol/record-batch.ts'
import type { HotRing } from './hot-ring.ts'
import type { LogConfig } from './log-config.ts'
import type { LogFiles } from './log-files.ts'
import type { LogKeeper } from './log-keeper.ts'
import type { ProducerState } from './producer-state.ts'
import type { AbortedTransaction } from './sealed-segment.ts'
import { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'
import { findAborted } from './segment-reads.ts'
import { cleanedIndexPath, cleanedPath } from './segment-swap.ts'
import type { Disk } from '../runtime/disk.ts'

export interface LogCompactionOptions {
  readonly disk: Disk
  /** The topic's settings as they are now. */
  config(): LogConfig
  readonly files: LogFiles
  readonly segments: SegmentList
  readonly keeper: LogKeeper
  readonly hot: HotRing
  /** As of what is written. */
  readonly producers: ProducerState
}

/** A sealed segment, for the time of a pass. */
export interface CompactibleSegment {
  readonly segment: Segment
  readonly path: string
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly bytes: number
  /** -1: no record has one. */
  readonly maxTimestamp: number
}

export interface LastOfProducer {
  /** Of its last data batch; -1: it has none in this epoch, and its marker is what tells the epoch. */
  readonly lastDataOffset: number
  readonly epoch: number
}

export class LogCompaction {
  readonly #options: LogCompactionOptions

  constructor(options: LogCompactionOptions) {
    this.#options = options
  }

  get config(): LogConfig {
    return this.#options.config()
  }

  /** The first dirty offset: what lies below was compacted. */
  get cleanedOffset(): number {
    return this.#options.keeper.cleanedOffset
  }

  /** Where the files of cleaned segments go, by base offset. */
  pathsOf(baseOffset: number): { readonly path: string; readonly indexPath: string } {
    const { directory } = this.#options.files
    return { path: cleanedPath(directory, baseOffset), indexPath: cleanedIndexPath(directory, baseOffset) }
  }

  /** The sealed segments that are synced and end at or below an offset, in order and without one missing. */
  sealedBelow(offset: number): CompactibleSegment[] {
    const { keeper, segments } = this.#options
    const all = segments.all
    const found: CompactibleSegment[] = []
    for (const [index, segment] of all.entries()) {
      const endOffset = all[index + 1]?.baseOffset ?? Infinity
      if (endOffset > offset || !keeper.isSettled(segment)) break
      const { path, baseOffset, bytes, maxTimestamp } = segment
      found.push({ segment, path, baseOffset, endOffset, bytes, maxTimestamp })
    }
    return found
  }

  /** Of the first batch of a segment, milliseconds since 1970; -1: it has none. */
  async firstTimestamp({ segment }: CompactibleSegment): Promise<number> {
    const file = await segment.acquire()
    try {
      const header = Buffer.alloc(batchHeaderBytes)
      return (await file.read(header, 0)) < batchHeaderBytes ? -1 : new RecordBatch(header).maxTimestamp
    } finally {
      segment.release()
    }
  }

  /** All that were aborted by a marker on this disk, however far behind what is cleaned. */
  aborted(): Promise<AbortedTransaction[]> {
    return findAborted(this.#options.segments, { start: 0, end: Infinity })
  }

  lastOfProducers(): Map<number, LastOfProducer> {
    const last = new Map<number, LastOfProducer>()
    for (const [producerId, epoch, , , , , batches] of this.#options.producers.entries()) {
      const [, , , endOffset = 0] = batches.at(-1) ?? []
      last.set(producerId, { lastDataOffset: endOffset - 1, epoch })
    }
    return last
  }

  /** Before a pass writes: what one before it has left may be written over from here on. */
  prepare(): Promise<void> {
    return this.#options.keeper.settleSwaps()
  }

  /**
   * Puts what was written and synced at `pathsOf` in the place of segments that follow each other. Durable when it resolves. False:
   * they are not what they were, and nothing was done. A crash leaves the old or the new ones.
   */
  async replace(old: readonly CompactibleSegment[], made: { readonly bytes: number }): Promise<boolean> {
    const { disk, files, keeper, hot } = this.#options
    const { baseOffset } = old[0]!
    const segment = new Segment({
      disk, directory: files.directory, baseOffset, bytes: made.bytes, index: undefined, maxTimestamp: -1, abortedCount: 0,
    })
    const isDone = await keeper.replace(old.map((one) => one.segment), segment)
    // What is in memory would outlive the entries that say which of it was aborted.
    if (isDone) hot.forgetBelow(old.at(-1)!.endOffset)
    return isDone
  }

  /** Removes what was written at `pathsOf` and not put in its place: not where `replace` has failed, for then it may count. */
  async discard(baseOffset: number): Promise<void> {
    const { path, indexPath } = this.pathsOf(baseOffset)
    for (const one of [path, indexPath]) await this.#options.disk.remove(one)
  }

  /** All below is clean; durable with the next checkpoint. A pass that is done again for want of it comes to the same. */
  cleanedUpTo(offset: number): Promise<void> {
    return this.#options.keeper.cleanedUpTo(offset)
  }
}
