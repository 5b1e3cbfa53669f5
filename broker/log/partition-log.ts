// A partition on local disk: appends, reads, and what follows from them. One writer; readers never wait for it.
//
//   logStart ≤ localStart ≤ durableEnd ≤ end         end: the next offset to assign
//
// Two producer states are kept: `admitted` knows of batches that are still being written, so that what follows them can
// be checked at once; `written` is that of the log, and what `admitted` falls back to when a write fails.

import { strict as assert } from 'node:assert'
import { ErrorCode } from '../protocol/error-code.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Disk } from '../runtime/disk.ts'
import type { Uuid } from '../runtime/random.ts'
import { type Refused, validateAppend } from './append-validation.ts'
import type { EpochCache } from './epoch-cache.ts'
import { type HotBudget, HotRing } from './hot-ring.ts'
import type { LogConfig } from './log-config.ts'
import { indexIntervalBytesMin } from './log-config.ts'
import { LogError } from './log-error.ts'
import { LogFiles } from './log-files.ts'
import { LogKeeper } from './log-keeper.ts'
import { LogWriter, type Positioned } from './log-writer.ts'
import { markerIn } from './marker.ts'
import { ProducerState } from './producer-state.ts'
import { type Recovered, recover } from './recovery.ts'
import type { AbortedTransaction, SealedSegment } from './sealed-segment.ts'
import type { BatchRange, Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import { findMaxTimestamp, findTimestamp, type FoundRecord, type OpenBatch } from './timestamp-search.ts'

export interface LogOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Of this partition alone. */
  readonly directory: string
  readonly topicId: Uuid
  readonly partition: number
  /** The topic's settings as they are now. */
  config(): LogConfig
  /** Whether an append is synced before it counts. */
  readonly isSynced: boolean
  readonly hot: HotBudget
  readonly openBatch: OpenBatch
  hasKeys(batch: RecordBatch): boolean
  /** A write failed (`log` goes on), or nothing can be written any more (`stopped`). */
  onFault(cause: unknown, effect: 'appends failed' | 'stopped' | 'not tidied'): void
}

export interface Appended {
  readonly errorCode: ErrorCode
  readonly errorMessage?: string
  /** -1 with an error. */
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** -1 unless the topic stamps records with the broker's clock. */
  readonly logAppendTime: number
}

export interface ReadBatches {
  readonly buffers: readonly Buffer[]
}

interface Pending {
  readonly endOffset: number
  readonly answer: Appended
  readonly resolve: (appended: Appended) => void
}

export class PartitionLog {
  readonly epochs: EpochCache
  readonly tornBytes: number
  readonly #options: LogOptions
  readonly #segments: SegmentList
  readonly #writer: LogWriter
  readonly #keeper: LogKeeper
  readonly #hot: HotRing
  readonly #written: ProducerState
  #admitted: ProducerState
  #pending: Pending[] = []
  #endOffset: number
  #durableEndOffset: number
  #listener: ((batches: readonly Positioned[]) => void) | undefined

  private constructor(options: LogOptions, files: LogFiles, recovered: Recovered) {
    const { disk, directory, clock, config, isSynced } = options
    this.#options = options
    this.epochs = recovered.epochs
    this.tornBytes = recovered.tornBytes
    this.#written = recovered.producers
    this.#admitted = ProducerState.restore(recovered.producers.snapshot())
    this.#endOffset = recovered.endOffset
    this.#durableEndOffset = recovered.durableOffset
    this.#hot = new HotRing(options.hot)
    this.#segments = new SegmentList({ disk, directory, segments: recovered.segments })
    const active = this.#segments.active
    if (active !== undefined && active.bytes > 0) active.firstAppendAt = clock.now()
    this.#writer = new LogWriter({
      segments: this.#segments, isSynced, segmentBytesMax: () => config().segmentBytes, now: () => clock.now(),
      onWritten: (segment, batches) => this.#onWritten(segment, batches),
      onSealed: (segment, endOffset) => this.#keeper.seal(segment, endOffset),
      onFailed: (cause) => this.#onFailed(cause),
      onStopped: (cause) => options.onFault(new LogError('stopped', directory, 'a sync failed', cause), 'stopped'),
    })
    this.#keeper = new LogKeeper({
      files, clock, segments: this.#segments, epochs: this.epochs, producers: this.#written,
      logStartOffset: recovered.logStartOffset,
      durableOffset: () => this.#durableEndOffset,
      onFault: (cause) => options.onFault(cause, 'not tidied'),
      onSyncFailed: (cause) => this.#writer.stop(cause),
    })
  }

  /** Opens or makes the log. Throws `LogError` where it is not this partition's or damaged, `DiskError` from the disk. */
  static async open(options: LogOptions): Promise<PartitionLog> {
    const { disk, directory, clock } = options
    const files = new LogFiles(disk, directory)
    await files.claim(options.topicId, options.partition)
    const indexIntervalBytes = Math.max(options.config().indexIntervalBytes, indexIntervalBytesMin)
    const recovered = await recover({ disk, directory, files, indexIntervalBytes, now: clock.now() })
    const log = new PartitionLog(options, files, recovered)
    await log.#keeper.begin()
    return log
  }

  get logStartOffset(): number {
    return this.#keeper.logStartOffset
  }

  /** The first offset that is on this disk. */
  get localStartOffset(): number {
    return Math.max(this.#segments.all[0]?.baseOffset ?? this.#durableEndOffset, 0)
  }

  /** The next offset to assign: records up to here may still be on their way to the disk. */
  get endOffset(): number {
    return this.#endOffset
  }

  /** Exclusive: records below are as durable as this broker makes them. */
  get durableEndOffset(): number {
    return this.#durableEndOffset
  }

  /** Where the first transaction begins that is not decided, or the given bound. */
  lastStableOffset(highWatermark: number): number {
    return Math.min(this.#written.firstOpenOffset ?? Infinity, highWatermark)
  }

  /** Of the batches on this disk. */
  get bytes(): number {
    return this.#segments.bytes
  }

  get segmentCount(): number {
    return this.#segments.all.length
  }

  get producers(): Pick<ProducerState, 'describe' | 'count'> {
    return this.#written
  }

  /** Calls `listener` with the batches that have just become durable, in order. There is one listener. */
  onDurable(listener: (batches: readonly Positioned[]) => void): void {
    this.#listener = listener
  }

  /**
   * Admits the one batch that `records` holds, in the order of the calls: checks it and gives it its offsets. Resolves
   * once it is as durable as this broker makes it, or with the code that refuses it. The memory stays the log's.
   */
  append(records: Buffer, options: { readonly leaderEpoch: number }): Promise<Appended> {
    if (this.#writer.isStopped) return Promise.resolve(failed(ErrorCode.KAFKA_STORAGE_ERROR, 'the log has stopped'))
    const now = this.#options.clock.now()
    const config = this.#options.config()
    const batch = validateAppend(records, { config, now, hasKeys: this.#options.hasKeys })
    if ('errorCode' in batch) return Promise.resolve(refused(batch))
    const checked = this.#admitted.check(batch)
    if (checked.kind === 'refused') return Promise.resolve(failed(checked.errorCode, checked.message))
    if (checked.kind === 'duplicate') return this.#answerDuplicate(checked.original)
    batch.stamp(this.#endOffset, options.leaderEpoch)
    if (config.hasLogAppendTime) batch.stampAppendTime(now)
    this.#admitted.apply(batch, { now, marker: undefined })
    this.#endOffset = batch.endOffset
    const answer: Appended = {
      errorCode: ErrorCode.NONE, baseOffset: batch.baseOffset, endOffset: batch.endOffset,
      logAppendTime: config.hasLogAppendTime ? now : -1,
    }
    this.#writer.add(batch)
    return this.#whenDurable(answer)
  }

  /** The answer to what was sent before, once that is durable. */
  #answerDuplicate(original: { readonly baseOffset: number; readonly endOffset: number; readonly timestamp: number }): Promise<Appended> {
    const { baseOffset, endOffset, timestamp } = original
    const logAppendTime = this.#options.config().hasLogAppendTime ? timestamp : -1
    const answer: Appended = { errorCode: ErrorCode.NONE, baseOffset, endOffset, logAppendTime }
    return endOffset <= this.#durableEndOffset ? Promise.resolve(answer) : this.#whenDurable(answer)
  }

  #whenDurable(answer: Appended): Promise<Appended> {
    return new Promise((resolve) => this.#pending.push({ endOffset: answer.endOffset, answer, resolve }))
  }

  #onWritten(segment: Segment, batches: readonly Positioned[]): void {
    const now = this.#options.clock.now()
    const intervalBytes = Math.max(this.#options.config().indexIntervalBytes, indexIntervalBytesMin)
    for (const { batch, position } of batches) {
      assert(batch.baseOffset === this.#durableEndOffset, `gap: expected ${this.#durableEndOffset}, got ${batch.baseOffset}`)
      const index = segment.openIndex()
      index.note(batch, { position, intervalBytes })
      segment.maxTimestamp = index.maxTimestamp
      this.epochs.note(batch.leaderEpoch, batch.baseOffset)
      const aborted = this.#written.apply(batch, { now, marker: markerIn(batch) })
      if (aborted !== undefined) segment.abortedCount = index.aborted.push(aborted)
      this.#hot.add(batch)
      this.#durableEndOffset = batch.endOffset
    }
    this.#listener?.(batches)
    this.#answerPending()
  }

  #answerPending(): void {
    let count = 0
    while (count < this.#pending.length && this.#pending[count]!.endOffset <= this.#durableEndOffset) {
      const { resolve, answer } = this.#pending[count++]!
      resolve(answer)
    }
    // A duplicate waits behind later ones although its original may be written: look at those too.
    this.#pending = this.#pending.slice(count).filter(({ endOffset, answer, resolve }) => {
      if (endOffset > this.#durableEndOffset) return true
      resolve(answer)
      return false
    })
  }

  #onFailed(cause: unknown): void {
    const pending = this.#pending
    this.#pending = []
    this.#endOffset = this.#durableEndOffset
    this.#admitted = ProducerState.restore(this.#written.snapshot())
    this.#options.onFault(cause, 'appends failed')
    for (const { resolve } of pending) resolve(failed(ErrorCode.KAFKA_STORAGE_ERROR, 'the disk failed'))
  }

  /**
   * Whole batches from the one that holds `offset`; none at or past `endOffset`. From memory at once, else from one
   * segment. Empty also where eviction was faster: `localStartOffset` then lies behind `offset`.
   */
  read(range: BatchRange): ReadBatches | Promise<ReadBatches> {
    const hotStart = this.#hot.startOffset
    if (hotStart !== undefined && range.offset >= hotStart) return { buffers: this.#hot.read(range) }
    return this.#readDisk(range)
  }

  async #readDisk(range: BatchRange): Promise<ReadBatches> {
    const segment = this.#segments.holding(range.offset)
    if (segment === undefined) return { buffers: [] }
    try {
      const buffers = await segment.read(range)
      if (buffers.length > 0 || segment === this.#segments.active || !this.#segments.all.includes(segment)) return { buffers }
      // What held the offset has been compacted away up to the end of the segment.
      const next = this.#segments.endOffsetOf(segment)
      return next < range.endOffset ? await this.#readDisk({ ...range, offset: next }) : { buffers }
    } catch (cause) {
      if (range.offset < this.localStartOffset) return { buffers: [] }
      throw cause
    }
  }

  offsetForTimestamp(timestamp: number): Promise<FoundRecord | undefined> {
    return findTimestamp(this.#segments.all, timestamp, this.#options.openBatch)
  }

  maxTimestamp(): Promise<FoundRecord | undefined> {
    return findMaxTimestamp(this.#segments.all, this.#options.openBatch)
  }

  /** Transactions that were aborted and have records in the range, from what is on this disk. */
  aborted(range: { readonly start: number; readonly end: number }): readonly AbortedTransaction[] | Promise<AbortedTransaction[]> {
    return this.#segments.all.some(({ abortedCount }) => abortedCount > 0) ? this.#findAborted(range) : noneAborted
  }

  async #findAborted(range: { readonly start: number; readonly end: number }): Promise<AbortedTransaction[]> {
    const found: AbortedTransaction[] = []
    for (const segment of this.#segments.all) {
      if (segment.abortedCount === 0) continue
      // A transaction may have been aborted by a marker in a later segment than its records.
      if (segment !== this.#segments.active && this.#segments.endOffsetOf(segment) <= range.start) continue
      for (const one of (await segment.index()).aborted) {
        if (one.lastOffset >= range.start && one.firstOffset < range.end) found.push(one)
      }
    }
    return found
  }

  /** Sealed segments that are indexed and synced, in order. */
  sealedSegments(): SealedSegment[] {
    return this.#keeper.sealedSegments()
  }

  /** Records below an offset are gone for good; durable when it resolves. Never moves back. */
  advanceLogStart(offset: number): Promise<void> {
    assert(offset <= this.#durableEndOffset, 'only what is there can be deleted')
    return this.#keeper.advanceLogStart(offset)
  }

  /** Drops sealed segments that end at or below an offset from this disk; the log start stays. */
  evictBelow(offset: number): Promise<void> {
    return this.#keeper.evictBelow(offset)
  }

  /**
   * The regular look: seals by age, forgets idle producers, deletes by age and size where the log decides itself, gives
   * back what was not used. `isClockTrusted`: whether ages may be counted.
   */
  async tick(now: { readonly isClockTrusted: boolean }): Promise<void> {
    const config = this.#options.config()
    const wallMs = this.#options.clock.now()
    const active = this.#segments.active
    if (active !== undefined && active.bytes > 0 && wallMs - (active.firstAppendAt ?? wallMs) >= config.segmentMs) {
      await this.roll()
    }
    this.#written.expire(wallMs, config.producerExpiryMs)
    this.#admitted.expire(wallMs, config.producerExpiryMs)
    if (config.isDeleted && !config.isTiered) await this.#keeper.retain({ ...now, wallMs }, config)
    this.#keeper.rest()
  }

  /** Seals the open segment, unless it is empty. */
  async roll(): Promise<void> {
    await this.#writer.exclusively(async () => {
      const active = this.#segments.active
      if (active !== undefined && active.bytes > 0 && !this.#writer.isStopped) await this.#writer.roll(this.#durableEndOffset)
    }).catch((cause: unknown) => this.#options.onFault(cause, 'not tidied'))
  }

  /** Ends in order: what was admitted is written, and the next start believes the files. */
  async close(): Promise<void> {
    const wasStopped = this.#writer.isStopped
    await this.#writer.close()
    await this.#keeper.end({ isClean: !wasStopped })
    this.#hot.clear()
  }

  /** Closes, and removes everything. */
  async destroy(): Promise<void> {
    await this.#writer.close()
    await this.#keeper.end({ isClean: false })
    this.#hot.clear()
    await this.#options.disk.removeDirectory(this.#options.directory)
  }
}

const noneAborted: readonly AbortedTransaction[] = []

function failed(errorCode: ErrorCode, errorMessage: string): Appended {
  return { errorCode, errorMessage, baseOffset: -1, endOffset: -1, logAppendTime: -1 }
}

function refused({ errorCode, message }: Refused): Appended {
  return failed(errorCode, message)
}
