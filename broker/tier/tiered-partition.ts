// One partition's tier, for one term of a leader or a follower. Until the manifest is claimed at this term's epoch nothing
// is uploaded, retained, evicted or answered about the log's start: a leader knows nothing before it has looked. A follower
// looks at the manifest now and then, and evicts by what it has seen there.

import type { Clock } from '../runtime/clock.ts'
import type { PartitionCompaction } from './compaction/partition-compaction.ts'
import { type ColdRead, ColdReader, type ColdReadResult } from './cold-reader.ts'
import type { Manifest } from './manifest.ts'
import type { ManifestHead } from './manifest-items.ts'
import type { PartitionUpload } from './partition-upload.ts'
import { reconcile } from './reconciliation.ts'
import { planEviction, planLogStart } from './retention.ts'
import { advanceLogStart, deleteRetired, retireIntents, retireRows } from './retirement.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import type { OnTierEvent } from './tier-events.ts'
import type { FoundTimestamp, TierIo } from './tier-io.ts'
import type { TierSource } from './tier-source.ts'
import type { TieredSegment } from './tiered-segment.ts'
import { findMaxTimestamp, findTimestamp, type SearchedRange } from './time-search.ts'
import type { UploadLag } from './upload-plan.ts'
import type { Uploader } from './uploader.ts'

export interface TieredPartitionOptions {
  readonly source: TierSource
  readonly manifest: Manifest
  readonly upload: PartitionUpload
  readonly uploader: Uploader
  readonly reader: ColdReader
  readonly compaction: PartitionCompaction
  readonly io: TierIo
  readonly clock: Clock
  readonly clusterId: string
  readonly limits: TieredPartitionLimits
  readonly onEvent: OnTierEvent
  /** Whether the wall clock may be believed: whether ages count. */
  isClockTrusted(): boolean
  onClose(partition: TieredPartition): void
}

export interface TieredPartitionLimits {
  /** Milliseconds for which an object outlives its row: longer than any fetch, and than rows are kept in memory. */
  readonly deleteDelayMs: number
  /** Milliseconds after which an upload that nobody ended counts as given up. */
  readonly intentAgeMsMax: number
  /** Milliseconds between two looks at intents and retired objects. */
  readonly sweepEveryMs: number
  /** Objects that nothing names are let alone for so many milliseconds. */
  readonly orphanAgeMsMin: number
  /** Rows that retention looks at, and objects that it deletes, in one tick. */
  readonly retentionRowsMax: number
}

export interface TimestampSearched {
  readonly found: FoundTimestamp | undefined
  /** Exclusive. */
  readonly endOffset: number
}

type State =
  | { readonly kind: 'opening' }
  | { readonly kind: 'leading' }
  | { readonly kind: 'following' }
  /** Another leader has claimed the partition, or the topic is gone: only reads are left. */
  | { readonly kind: 'fenced' }
  | { readonly kind: 'closed' }

export class TieredPartition {
  readonly #options: TieredPartitionOptions
  #state: State = { kind: 'opening' }
  /** The oldest rows, as long as they are: retention looks at them every few seconds, and they seldom change. */
  #oldest: { readonly generation: number; readonly rows: readonly TieredSegment[] } = { generation: -1, rows: [] }
  /** Monotonic; when intents and retired objects are to be looked at again. */
  #sweepAt = -Infinity
  #ticking: Promise<void> | undefined
  #ticksAgain = false
  #isEvicting = false

  constructor(options: TieredPartitionOptions) {
    this.#options = options
  }

  /** `topic-3` */
  get name(): string {
    return this.#options.upload.name
  }

  /** Whether the manifest was claimed, or by a follower seen, in this term. */
  get isReady(): boolean {
    return this.#isAtWork && this.#options.manifest.head !== undefined
  }

  get #isAtWork(): boolean {
    return this.#state.kind === 'leading' || this.#state.kind === 'following'
  }

  /** Exclusive: what lies below is in the tier. 0 where nothing is, or is known to be. */
  get tieredEnd(): number {
    return this.#options.manifest.head?.tieredEnd ?? 0
  }

  /** The first offset that can be read from the tier; `tieredEnd` where there is none. */
  get tierStart(): number {
    const { head } = this.#options.manifest
    return head === undefined ? 0 : Math.min(Math.max(head.logStart, 0), head.tieredEnd)
  }

  /** Of all batches in the manifest. */
  get bytes(): number {
    return this.#options.manifest.head?.bytes ?? 0
  }

  get lag(): UploadLag {
    return this.#options.upload.lag
  }

  /** Whole batches from the one that holds `offset`. Never rejects: what failed is a `refused` that clients repeat. */
  async read(request: ColdRead): Promise<ColdReadResult> {
    const result = await this.#options.reader.read(request)
    if (result.kind === 'refused') {
      this.#options.onEvent({ kind: 'read failed', partition: this.name, offset: request.offset, error: result.cause })
    }
    return result
  }

  /**
   * The first record in the tier with this timestamp or a later one, among offsets below `endOffset` (where the caller
   * searches on its own disk). Throws `TierError`: retriable, and never to be taken for "none".
   */
  async offsetForTimestamp(timestamp: number, endOffset = Infinity): Promise<FoundTimestamp | undefined> {
    return findTimestamp(this.#options, timestamp, await this.#searched({ endOffset }))
  }

  /** The same from an offset on, and where the tier ended as it was searched. */
  async searchTimestamp(timestamp: number, startOffset: number): Promise<TimestampSearched> {
    const searched = await this.#searched({ startOffset })
    return { found: await findTimestamp(this.#options, timestamp, searched), endOffset: searched.end }
  }

  /** The largest timestamp among offsets of the tier below `endOffset`, and the first record that has it. */
  async maxTimestamp(endOffset = Infinity): Promise<FoundTimestamp | undefined> {
    return findMaxTimestamp(this.#options, await this.#searched({ endOffset }))
  }

  /** The same from an offset on, and how far it was searched. */
  async searchMaxTimestamp(range: { readonly startOffset: number; readonly endOffset: number }): Promise<TimestampSearched> {
    const searched = await this.#searched(range)
    return { found: await findMaxTimestamp(this.#options, searched), endOffset: searched.end }
  }

  /** Says that a segment was sealed, or that the last stable offset has moved past one. */
  sealed(): void {
    if (this.isReady && this.#state.kind === 'leading') this.#options.uploader.offer(this.#options.upload)
  }

  /**
   * Makes `offset` the start of the log (DeleteRecords): in the table first, so that the next leader knows it too. The
   * caller has checked that it is no higher than the high watermark. Throws `TierError`, after which it may have moved;
   * `fenced` where another broker leads.
   */
  async advanceLogStart(offset: number): Promise<void> {
    const { manifest, source, onEvent } = this.#options
    await this.#claim()
    if (await advanceLogStart(manifest, offset)) {
      onEvent({ kind: 'log start advanced', partition: this.name, logStart: offset, why: 'request' })
    }
    await source.advanceLogStart(offset)
  }

  /**
   * Claims the manifest where that is still to be done, starts uploads, applies retention, and deletes what is due.
   * `now` is the wall clock. Resolves when all of that is done; never rejects: what failed is tried again next time.
   */
  tick(now: number): Promise<void> {
    if (this.#ticking !== undefined) {
      this.#ticksAgain = true
      return this.#ticking
    }
    this.#ticking = this.#tick(now).finally(() => {
      this.#ticking = undefined
    })
    return this.#ticking
  }

  /**
   * Takes from this disk what the settings do not keep there and the tier has, as of what is known here: neither table
   * nor store is asked. Never rejects.
   */
  async evict(now: number): Promise<void> {
    if (!this.#isAtWork || this.#ticking !== undefined || this.#isEvicting) return
    this.#isEvicting = true
    await this.#attempt('eviction', () => this.#evict(now, this.#options.isClockTrusted()))
    this.#isEvicting = false
  }

  /** Whether `compact` may find something to do. */
  get mayCompact(): boolean {
    return this.#state.kind === 'leading' && this.#options.compaction.mayBeDue
  }

  /** A pass of compaction where one is due. Takes as long as it takes: minutes, if there is much. Never rejects. */
  async compact(): Promise<void> {
    if (!this.mayCompact) return
    await this.#options.compaction.run()
    // Consumers see what is left from now on, and not what the disk has still.
    await this.evict(this.#options.clock.now())
  }

  /** Ends the term: stops uploads and compaction; reads that are under way go on. */
  async close(): Promise<void> {
    if (this.#state.kind === 'closed') return
    this.#state = { kind: 'closed' }
    this.#options.uploader.withdraw(this.#options.upload)
    this.#options.onClose(this)
    await Promise.all([this.#ticking, this.#options.compaction.stop()])
  }

  async #tick(now: number): Promise<void> {
    if (this.#options.source.isFollower) return this.#tickAsFollower(now)
    do {
      this.#ticksAgain = false
      if (!(await this.#attempt('claiming the manifest', () => this.#claim()))) return
      this.sealed()
      const isClockTrusted = this.#options.isClockTrusted()
      await this.#attempt('retention', () => this.#retain(now, isClockTrusted))
      await this.#attempt('eviction', () => this.#evict(now, isClockTrusted))
      if (isClockTrusted) await this.#attempt('sweeping', () => this.#sweep(now))
    } while (this.#ticksAgain && this.#state.kind === 'leading')
  }

  async #tickAsFollower(now: number): Promise<void> {
    const isSeen = await this.#attempt('reading the manifest', async () => {
      await this.#options.manifest.refresh()
      if (this.#state.kind === 'opening') this.#state = { kind: 'following' }
    })
    if (isSeen) await this.#attempt('eviction', () => this.#evict(now, this.#options.isClockTrusted()))
  }

  /**
   * Holds the bucket against the manifest, where it leads: once a day is plenty. Orphans are retired, and what is missing or foreign is
   * told. Never rejects.
   */
  async reconcile(now: number): Promise<void> {
    const { source, manifest, io, clusterId, limits, onEvent } = this.#options
    if (source.isFollower) return
    await this.#attempt('reconciling', async () => {
      await this.#claim()
      const found = await reconcile({ manifest, io, clusterId, now, ageMs: limits.orphanAgeMsMin })
      if (found === undefined) return
      const { orphans, missing, foreign } = found
      const bytes = orphans.reduce((total, one) => total + one.bytes, 0)
      if (orphans.length > 0) onEvent({ kind: 'orphaned', partition: this.name, objects: orphans.length, bytes })
      for (const { key } of missing) onEvent({ kind: 'object missing', partition: this.name, key })
      if (foreign.length > 0) onEvent({ kind: 'foreign objects', partition: this.name, keys: foreign })
    })
  }

  async #claim(): Promise<void> {
    const { manifest, source, onEvent } = this.#options
    // It would upload beside the leader, which neither has heard of it nor can end what it leaves behind before a day is over.
    if (source.isFollower) throw new TierError('fenced', `${this.name} is led by another broker`)
    if (this.#state.kind === 'closed' || (this.#state.kind === 'leading' && manifest.isClaimed)) return
    const head = await manifest.claim(source.leaderEpoch, source.logStartOffset)
    if (source.endOffset < Math.max(head.tieredEnd, head.logStart)) {
      // It would take what it appends for what the tier has, and drop it. See `Tier.restorePoint`.
      throw new TierError('diverged', `the log ends at ${source.endOffset}, and the tier at ${head.tieredEnd}`)
    }
    if (this.#state.kind === 'opening') {
      this.#state = { kind: 'leading' }
      onEvent({ kind: 'claimed', partition: this.name, epoch: head.epoch, tieredEnd: head.tieredEnd, logStart: head.logStart })
    }
    // The log and the manifest each may know of a start that the other missed: the later one holds.
    if (source.logStartOffset > head.logStart) await advanceLogStart(manifest, source.logStartOffset)
    else if (head.logStart > source.logStartOffset) await source.advanceLogStart(head.logStart)
  }

  async #retain(now: number, isClockTrusted: boolean): Promise<void> {
    const { manifest, source, onEvent } = this.#options
    const { head } = manifest
    if (head === undefined || !manifest.isClaimed) return
    const rows = await this.#oldestRows(head)
    const { localBytes, lastStableOffset } = source
    const local = source.sealedSegments()
    const state = { now, isClockTrusted, config: source.config(), head, rows, local, localBytes, lastStableOffset }
    const logStart = Math.max(planLogStart(state), source.logStartOffset)
    if (logStart > head.logStart) {
      // Planned for this very head: under another one there may be less to delete, and more ticks to do it in.
      const next = { head: { ...head, logStart }, writes: [] }
      const isMoved = await manifest.change((current) => (current === head ? next : undefined))
      if (!isMoved) return
      onEvent({ kind: 'log start advanced', partition: this.name, logStart, why: 'retention' })
    }
    await source.advanceLogStart(logStart)
    if (head.segments === 0 || rows.length === 0 || rows[0]!.endOffset > logStart) return
    const retired = await retireRows(manifest, now)
    if (retired.length === 0) return
    const bytes = retired.reduce((total, row) => total + row.batchesBytes, 0)
    onEvent({ kind: 'retired', partition: this.name, segments: retired.length, bytes })
    this.#oldest = { generation: -1, rows: [] }
    this.#sweepAt = -Infinity
    this.#ticksAgain = true
  }

  async #oldestRows(head: ManifestHead): Promise<readonly TieredSegment[]> {
    const { manifest, limits } = this.#options
    if (head.segments === 0) return []
    const { generation, rows } = this.#oldest
    // Rows at the end are more by now; they matter once the oldest are gone, or if these were all there was.
    const isEnough = rows.length === limits.retentionRowsMax || rows.at(-1)?.endOffset === head.tieredEnd
    if (isEnough && generation === head.generation) return rows
    const found = await manifest.rowsFrom(0, limits.retentionRowsMax)
    this.#oldest = { generation: head.generation, rows: found }
    return found
  }

  async #evict(now: number, isClockTrusted: boolean): Promise<void> {
    const { manifest, source, onEvent } = this.#options
    const { head } = manifest
    // What a follower has seen may be old by now, but what was in the tier then is there, or deleted for good.
    if (head === undefined || !(manifest.isClaimed || source.isFollower)) return
    const local = source.sealedSegments()
    const { localBytes, lastStableOffset } = source
    const offset = planEviction({ now, isClockTrusted, config: source.config(), head, local, localBytes, lastStableOffset })
    if (offset <= (local[0]?.baseOffset ?? Infinity)) return
    await source.evictBelow(offset)
    onEvent({ kind: 'evicted', partition: this.name, localStart: offset })
  }

  async #sweep(now: number): Promise<void> {
    const { manifest, upload, io, clock, limits, onEvent } = this.#options
    const { head } = manifest
    if (head === undefined || !manifest.isClaimed || clock.monotonic() < this.#sweepAt) return
    const intents = (await manifest.intents()).filter((intent) => {
      return intent.uuid !== upload.intent?.uuid && (intent.epoch < head.epoch || now - intent.startedAt > limits.intentAgeMsMax)
    })
    const abandoned = await retireIntents(manifest, intents, now)
    if (abandoned > 0) onEvent({ kind: 'abandoned', partition: this.name, intents: abandoned })
    const deleted = await deleteRetired(manifest, { io, now, graceMs: limits.deleteDelayMs, limit: limits.retentionRowsMax })
    const bytes = deleted.reduce((total, one) => total + one.bytes, 0)
    if (deleted.length > 0) onEvent({ kind: 'deleted', partition: this.name, objects: deleted.length, bytes })
    // What was just retired is due after the delay; nothing else of ours can be.
    this.#sweepAt = clock.monotonic() + (deleted.length === limits.retentionRowsMax ? 0 : limits.sweepEveryMs)
  }

  async #searched({ startOffset = 0, endOffset = Infinity }): Promise<SearchedRange> {
    const { manifest } = this.#options
    const head = manifest.isCurrent ? manifest.head : await manifest.refresh()
    if (head === undefined) return { start: 0, end: 0 }
    return { start: Math.max(head.logStart, startOffset), end: Math.min(head.tieredEnd, endOffset) }
  }

  async #attempt(task: string, run: () => Promise<void>): Promise<boolean> {
    if (this.#state.kind !== 'opening' && !this.#isAtWork) return false
    try {
      await run()
      return true
    } catch (cause) {
      this.#failed(task, tierErrorOf(task, cause))
      return false
    }
  }

  #failed(task: string, error: TierError): void {
    const { onEvent, uploader, upload } = this.#options
    const isOver = error.code === 'fenced' || error.code === 'gone'
    if (!isOver) return onEvent({ kind: 'task failed', partition: this.name, task, error })
    if (this.#state.kind === 'closed') return
    this.#state = { kind: 'fenced' }
    uploader.withdraw(upload)
    void this.#options.compaction.stop()
    onEvent({ kind: 'fenced', partition: this.name, error })
  }
}
