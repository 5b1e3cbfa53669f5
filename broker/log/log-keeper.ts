// Keeps a log's files in order behind the writer's back: what is made at a seal, checkpoints, the log start, and what is
// taken away. None of it stands in the way of an append, and a crash at any point costs a longer recovery at most.

import type { Clock } from '../runtime/clock.ts'
import { DiskError } from '../runtime/disk.ts'
import { encodeChecked } from './checked-file.ts'
import type { EpochCache } from './epoch-cache.ts'
import type { LogConfig } from './log-config.ts'
import type { Checkpoint, Cleaning, LogFiles } from './log-files.ts'
import { planLogStart } from './log-retention.ts'
import { OffsetGaps } from './offset-gaps.ts'
import type { ProducerState } from './producer-state.ts'
import { rebuildProducers } from './rebuild-producers.ts'
import type { Recovered } from './recovery.ts'
import { ReplacedSegments } from './replaced-segments.ts'
import type { SealedSegment, SegmentSections } from './sealed-segment.ts'
import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'
import type { SegmentSwap } from './segment-swap.ts'

export interface KeeperOptions {
  readonly files: LogFiles
  readonly clock: Clock
  readonly segments: SegmentList
  readonly epochs: EpochCache
  /** As of what is written. */
  readonly producers: ProducerState
  readonly recovered: KeptState
  readonly isSynced: boolean
  /** The end of what is written, and synced where appends are. */
  durableOffset(): number
  onFault(cause: unknown): void
  onSyncFailed(cause: unknown): void
}

/** What recovery has found that only the checkpoint says. */
export type KeptState = Pick<Recovered, 'logStartOffset' | 'cleaning'>

/** A sealed segment that is not settled yet. */
interface Sealing {
  readonly endOffset: number
  readonly producers: ProducerState
}

/** Segments whose files are made in one turn. */
const settledAtOnceMax = 8

export class LogKeeper {
  readonly #options: KeeperOptions
  #logStartOffset: number
  #cleanedOffset: number
  readonly gaps: OffsetGaps
  readonly #replaced: ReplacedSegments
  /** Sealed segments whose index, producers and sync are done. */
  readonly #settled = new Set<Segment>()
  /** Sealed segments for which that is to be done, in order; it is tried again where the disk was full. */
  readonly #sealing = new Map<Segment, Sealing>()
  /** Off the list, in order, with files that are still to be removed. */
  readonly #dropped: Segment[] = []
  /** Where appends are not synced: what a later sync has covered. */
  #syncedOffset = 0
  #isToSettle = false
  #hasSyncFailed = false
  #hasEnded = false
  #checkpointed = -1
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: KeeperOptions) {
    this.#options = options
    const { logStartOffset, cleaning } = options.recovered
    this.#logStartOffset = logStartOffset
    this.#cleanedOffset = cleaning.cleanedOffset
    this.gaps = new OffsetGaps(cleaning, () => void this.#inTurn(() => this.#noteGaps()))
    this.#replaced = new ReplacedSegments(options.clock)
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** The segments are as recovery left them. From here on the files are in use: an end without `end` is a crash. */
  async begin({ logStartOffset, cleaning }: KeptState): Promise<void> {
    const { segments, files, epochs, clock, durableOffset } = this.#options
    this.#logStartOffset = logStartOffset
    this.#cleanedOffset = cleaning.cleanedOffset
    this.gaps.know(cleaning)
    this.#syncedOffset = durableOffset()
    this.#sealing.clear()
    this.#settled.clear()
    this.#dropped.length = 0
    for (const segment of segments.all.slice(0, -1)) {
      this.#settled.add(segment)
      segment.sealedAt = clock.now()
      await segment.writeIndex()
    }
    await files.writeEpochs(epochs.starts)
    await this.#writeCheckpoint()
    const bases = new Set(segments.all.map(({ baseOffset }) => baseOffset))
    await files.removeIndexes((offset) => bases.has(offset))
    await files.removeCleaned()
    // An empty log has the producers that it began with.
    await files.removeProducers((offset) => bases.has(offset) || (bases.size === 0 && offset === durableOffset()))
  }

  /** A segment was sealed: syncs it, makes its index, and takes down the producers as of its end. */
  seal(segment: Segment, endOffset: number): void {
    segment.sealedAt = this.#options.clock.now()
    this.#sealing.set(segment, { endOffset, producers: this.#options.producers.copy() })
    this.#settleSoon()
  }

  /** A few in each turn: whatever else is to be done gets its own in between, however fast segments are sealed. */
  #settleSoon(): void {
    if (this.#isToSettle) return
    this.#isToSettle = true
    void this.#inTurn(async () => {
      this.#isToSettle = false
      await this.#settle(settledAtOnceMax)
      if (this.#sealing.size > 0 && !this.#hasSyncFailed) this.#settleSoon()
    })
  }

  /** The oldest `most` sealed segments. The list of all that are settled is written once for them. */
  async #settle(most = Infinity): Promise<void> {
    const { files, epochs } = this.#options
    const sealing = [...this.#sealing].slice(0, most)
    if (sealing.length === 0) return
    for (const [segment, { endOffset, producers }] of sealing) {
      if (this.#hasSyncFailed) return
      await this.#sync(segment)
      this.#syncedOffset = Math.max(this.#syncedOffset, endOffset)
      await segment.writeIndex()
      await files.writeProducers(endOffset, producers)
    }
    await files.writeEpochs(epochs.starts)
    for (const [segment] of sealing) {
      this.#sealing.delete(segment)
      this.#settled.add(segment)
    }
    await this.#writeCheckpoint()
  }

  async #sync(segment: Segment): Promise<void> {
    const file = await segment.acquire()
    try {
      await this.#stopUnless(() => file.sync())
    } finally {
      segment.release()
    }
  }

  async #stopUnless(sync: () => Promise<void>): Promise<void> {
    try {
      await sync()
    } catch (cause) {
      this.#hasSyncFailed = true
      this.#options.onSyncFailed(cause)
      throw cause
    }
  }

  sealedSegments(): SealedSegment[] {
    const { all } = this.#options.segments
    const sealed: SealedSegment[] = []
    for (const [index, segment] of all.entries()) {
      if (!this.#settled.has(segment)) continue
      const { baseOffset, bytes, maxTimestamp, path } = segment
      const endOffset = all[index + 1]!.baseOffset
      sealed.push({
        baseOffset, endOffset, bytes, maxTimestamp, path, sealedAt: segment.sealedAt ?? 0,
        sections: () => this.#sectionsOf(segment, endOffset),
      })
    }
    return sealed
  }

  async #sectionsOf(segment: Segment, endOffset: number): Promise<SegmentSections> {
    const { files, epochs, segments, clock } = this.#options
    const index = await segment.index()
    const producers = (await files.encodedProducers(endOffset)) ??
      encodeChecked((await rebuildProducers({ files, segments, endOffset, now: clock.now() })).snapshot())
    return {
      offsets: index.offsets.map((offset, at) => ({ offset, position: index.positions[at]! })),
      times: index.times,
      epochs: epochs.starts.filter(({ startOffset }) => startOffset < endOffset),
      producers,
      aborted: index.aborted,
    }
  }

  advanceLogStart(offset: number): Promise<void> {
    return this.exclusively(async () => {
      if (offset <= this.#logStartOffset) return
      await this.#syncUpTo(offset)
      await this.#writeLogStart(offset)
      this.#logStartOffset = offset
      await this.#drop(offset)
    })
  }

  /** What lies behind the log start has to outlive a crash, or the log would end before it starts. */
  async #syncUpTo(offset: number): Promise<void> {
    const { isSynced, segments, durableOffset } = this.#options
    if (isSynced || offset <= this.#syncedOffset) return
    const durable = durableOffset()
    await this.#settle()
    await this.#sync(segments.active!)
    this.#syncedOffset = Math.max(this.#syncedOffset, durable)
  }

  /** Where the disk is full, what is about to go makes room for the note that it goes. */
  async #writeLogStart(logStartOffset: number): Promise<void> {
    try {
      await this.#writeCheckpoint({ logStartOffset })
    } catch (cause) {
      if (!(cause instanceof DiskError && cause.code === 'ENOSPC')) throw cause
      for (const segment of this.#options.segments.below(logStartOffset)) await segment.removeIndex()
      await this.#writeCheckpoint({ logStartOffset })
    }
  }

  evictBelow(offset: number): Promise<void> {
    return this.exclusively(() => this.#drop(offset))
  }

  /** Off the list first, so that no new read finds it; the files after, each durably, so that a crash leaves no gap. */
  async #drop(offset: number): Promise<void> {
    const { segments, files, epochs } = this.#options
    this.#dropped.push(...segments.takeBelow(offset))
    if (this.#dropped.length === 0) return
    for (let segment = this.#dropped[0]; segment !== undefined && !this.#hasSyncFailed; segment = this.#dropped[0]) {
      this.#settled.delete(segment)
      this.#sealing.delete(segment)
      await segment.remove()
      await this.#stopUnless(() => segments.syncDirectory())
      this.#dropped.shift()
    }
    epochs.truncateFromStart(this.#logStartOffset)
    const first = segments.all[0]!.baseOffset
    await files.removeProducers((at) => at >= first)
    await this.#writeCheckpoint()
  }

  async retain(now: { readonly isClockTrusted: boolean; readonly wallMs: number }, config: LogConfig): Promise<void> {
    const active = this.#options.segments.active
    const start = planLogStart(this.sealedSegments(), {
      wallMs: now.wallMs, openBytes: active?.bytes ?? 0, logStartOffset: this.#logStartOffset,
    }, { retentionMs: now.isClockTrusted ? config.retentionMs : -1, retentionBytes: config.retentionBytes })
    if (start > this.#logStartOffset) await this.advanceLogStart(start)
    else await this.evictBelow(this.#logStartOffset)
  }

  get cleanedOffset(): number {
    return this.#cleanedOffset
  }

  isSettled(segment: Segment): boolean {
    return this.#settled.has(segment)
  }

  async #noteGaps(): Promise<void> {
    const cleaning: Cleaning = { cleanedOffset: this.#cleanedOffset, hasGaps: true }
    await this.#writeCheckpoint({ cleaning })
    this.gaps.know(cleaning)
  }

  /** No swap is left in the checkpoint, whatever became of one whose step there has failed. */
  settleSwaps(): Promise<void> {
    return this.exclusively(() => this.#writeCheckpoint())
  }

  cleanedUpTo(offset: number): Promise<void> {
    return this.exclusively(async () => {
      this.#cleanedOffset = offset
      await this.#writeCheckpoint()
    })
  }

  /** Puts a cleaned segment in the place of sealed ones (segment-swap.ts). False: they are not what they were. */
  replace(old: readonly Segment[], cleaned: Segment): Promise<boolean> {
    const { segments, files } = this.#options
    return this.exclusively(async () => {
      const endOffset = segments.endOfRun(old)
      if (endOffset === undefined || this.#hasEnded || this.#hasSyncFailed || !old.every((one) => this.#settled.has(one))) return false
      const swap: SegmentSwap = { baseOffset: cleaned.baseOffset, endOffset, bytes: cleaned.bytes }
      await this.#replaced.hold(old)
      try {
        // Whoever made the producers anew from one of them would wait for markers that are not there any more.
        await files.removeProducers((offset) => offset >= endOffset)
        await this.#writeCheckpoint({ swap, cleaning: { cleanedOffset: this.#cleanedOffset, hasGaps: true } })
      } catch (cause) {
        this.#replaced.letGo(old)
        throw cause
      }
      this.gaps.know({ hasGaps: true })
      await this.#stopUnless(async () => {
        await files.finishSwap(swap)
        await cleaned.loadIndex()
      })
      this.#takeOver(old, cleaned)
      await this.#writeCheckpoint()
      return true
    })
  }

  #takeOver(old: readonly Segment[], cleaned: Segment): void {
    cleaned.sealedAt = old.at(-1)!.sealedAt
    this.#options.segments.replace(old, cleaned)
    for (const segment of old) this.#settled.delete(segment)
    this.#settled.add(cleaned)
    this.#replaced.add(old)
  }

  /** The log is about to be shorter: durably no more than this is promised from here on. */
  async lowerTo(endOffset: number): Promise<void> {
    const isLeft = (sealed: Segment) => this.#options.segments.endOffsetOf(sealed) <= endOffset
    const left = new Set([...this.#settled].filter(isLeft))
    this.#cleanedOffset = Math.min(this.#cleanedOffset, endOffset)
    await this.#writeCheckpoint({ durableOffset: Math.min(endOffset, this.#durable()) }, left)
    // Not before that is written: where it could not be, the log goes on as it is.
    for (const sealed of [...this.#settled, ...this.#sealing.keys()]) {
      if (isLeft(sealed)) continue
      this.#settled.delete(sealed)
      this.#sealing.delete(sealed)
    }
  }

  /** The log is about to begin again elsewhere. From here on that is what the next start does. */
  async writeFresh(offset: number, fresh: NonNullable<Checkpoint['fresh']>): Promise<void> {
    this.#cleanedOffset = 0
    await this.#writeCheckpoint({ logStartOffset: offset, durableOffset: offset, fresh }, new Set())
    this.#settled.clear()
    this.#sealing.clear()
  }

  /** Gives back files and indexes that were not used since the last look, and does what could not be done before. */
  rest(): void {
    for (const segment of this.#settled) segment.rest()
    this.#replaced.release()
    if (this.#sealing.size > 0) this.#settleSoon()
    if (this.#durable() !== this.#checkpointed) void this.#inTurn(() => this.#writeCheckpoint())
  }

  async end({ isClean }: { readonly isClean: boolean }): Promise<void> {
    const { segments, files, producers, epochs, durableOffset } = this.#options
    await this.#inTurn(async () => {
      if (!isClean || this.#hasSyncFailed) return
      await this.#settle()
      const { active } = segments
      if (active !== undefined) {
        await this.#sync(active)
        await active.writeIndex()
      }
      const endOffset = durableOffset()
      this.#syncedOffset = endOffset
      await files.writeProducers(endOffset, producers.copy())
      await files.writeEpochs(epochs.starts)
      await this.#writeCheckpoint({ clean: { endOffset, activeOffset: active?.baseOffset ?? endOffset, activeBytes: active?.bytes ?? 0 } })
    })
    await this.exclusively(async () => { this.#hasEnded = true })
    this.#replaced.release({ isEnd: true })
    for (const segment of segments.all) await segment.close()
  }

  /** Below this offset everything is synced. */
  #durable(): number {
    return this.#options.isSynced ? this.#options.durableOffset() : this.#syncedOffset
  }

  async #writeCheckpoint(special: Partial<Checkpoint> = {}, settled: ReadonlySet<Segment> = this.#settled): Promise<void> {
    const { files, segments, isSynced } = this.#options
    const durableOffset = this.#durable()
    const sealed = segments.all.flatMap((segment, index) => settled.has(segment)
      ? [[
        segment.baseOffset, segments.all[index + 1]!.baseOffset, segment.bytes, segment.maxTimestamp, segment.abortedCount,
      ] as const]
      : [])
    await files.writeCheckpoint({
      version: 1, logStartOffset: this.#logStartOffset, durableOffset, isSynced, sealed, clean: null, fresh: null,
      cleaning: { cleanedOffset: this.#cleanedOffset, hasGaps: this.gaps.areKnown }, ...special,
    })
    this.#checkpointed = durableOffset
  }

  /** Runs when everything before it is done. Rejects with what `run` throws. */
  exclusively<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    return this.exclusively(run).catch((cause: unknown) => this.#options.onFault(cause))
  }
}
