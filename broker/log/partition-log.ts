// A partition on local disk: appends, reads, and what follows from them. One writer; readers never wait for it.
//
//   logStart ≤ localStart ≤ durableEnd ≤ end         end: the next offset to assign
//
// Two producer states are kept: `admitted` knows of batches that are still being written, so that what follows them can
// be checked at once; `written` is that of the log, and what `admitted` falls back to when a write fails.

import { strict as assert } from 'node:assert'
import { ErrorCode } from '../protocol/error-code.ts'
import { batchesIn } from '../protocol/record-batch.ts'
import { type Admission, admitBatch, admitMarker, type Duplicate, type MarkerRules, type NextPlace } from './admission.ts'
import { type Beginning, freshOf } from './beginning.ts'
import { EndedTransactions } from './ended-transactions.ts'
import { EpochCache } from './epoch-cache.ts'
import { HotRing, type LentBatches } from './hot-ring.ts'
import { LogCompaction } from './log-compaction.ts'
import { LogError } from './log-error.ts'
import { LogFiles } from './log-files.ts'
import { LogKeeper } from './log-keeper.ts'
import { indexIntervalBytes, type LogOptions, recoveryOptions } from './log-options.ts'
import { isDue } from './log-retention.ts'
import { LogWriter, type Positioned } from './log-writer.ts'
import { truncateLog } from './log-truncation.ts'
import { markerIn } from './marker.ts'
import { findMaxTimestamp } from './max-timestamp.ts'
import { type Appended, failed, PendingAppends } from './pending-appends.ts'
import type { ProducerState } from './producer-state.ts'
import { type Recovered, recover } from './recovery.ts'
import { problemWith } from './replica-validation.ts'
import type { AbortedTransaction, SealedSegment } from './sealed-segment.ts'
import { type BatchRange, nothing, type Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import { findAborted, readSegments } from './segment-reads.ts'
import { isShortage } from './storage-failure.ts'
import { findTimestamp, type FoundRecord } from './timestamp-search.ts'

export type { Appended } from './pending-appends.ts'
export type { LogOptions } from './log-options.ts'

export class PartitionLog {
  readonly epochs: EpochCache
  readonly tornBytes: number
  /** The log was closed in order before, or is new: nothing that was ever in it is missing. */
  readonly wasClean: boolean
  readonly compaction: LogCompaction
  readonly #files: LogFiles
  readonly #options: LogOptions
  readonly #segments: SegmentList
  readonly #writer: LogWriter
  readonly #keeper: LogKeeper
  readonly #hot: HotRing
  readonly #written: ProducerState
  #admitted: ProducerState
  readonly #ended = new EndedTransactions()
  readonly #pending = new PendingAppends()
  #isClosing = false
  #isChanging = false
  #endOffset: number
  #durableEndOffset: number
  #listener: ((batches: readonly Positioned[]) => void) | undefined

  private constructor(options: LogOptions, files: LogFiles, recovered: Recovered) {
    const { disk, directory, clock, config, isSynced } = options
    this.#options = options
    this.#files = files
    this.epochs = recovered.epochs
    this.tornBytes = recovered.tornBytes
    this.wasClean = recovered.wasClean
    this.#written = recovered.producers
    this.#admitted = recovered.producers.copy()
    this.#endOffset = recovered.endOffset
    this.#durableEndOffset = recovered.endOffset
    this.#hot = new HotRing(options.hot)
    this.#segments = new SegmentList({ disk, directory, segments: recovered.segments })
    this.#writer = new LogWriter({
      segments: this.#segments, isSynced, segmentBytesMax: () => config().segmentBytes, now: () => clock.now(),
      beginsAt: () => Math.max(this.#durableEndOffset, 0),
      onWritten: (segment, batches) => this.#onWritten(segment, batches),
      onSealed: (segment, endOffset) => this.#keeper.seal(segment, endOffset),
      onFailed: (cause) => this.#onFailed(cause),
      onStopped: (cause) => this.#onStopped(cause),
    })
    this.#keeper = new LogKeeper({
      files, clock, segments: this.#segments, epochs: this.epochs, producers: this.#written, recovered, isSynced,
      durableOffset: () => this.#durableEndOffset,
      onFault: (cause) => options.onFault(cause, 'not tidied'),
      onSyncFailed: (cause) => this.#writer.stop(cause),
    })
    this.compaction = new LogCompaction({ ...options, ...recovered, files, segments: this.#segments, keeper: this.#keeper, hot: this.#hot })
  }

  /** Opens or makes the log. Throws `LogError` where it is not this partition's or damaged, `DiskError` from the disk. */
  static async open(options: LogOptions): Promise<PartitionLog> {
    const files = new LogFiles(options.disk, options.directory)
    await files.claim(options.topicId, options.partition)
    const recovered = await recover(recoveryOptions(options, files))
    const log = new PartitionLog(options, files, recovered)
    await log.#keeper.begin(recovered).catch((cause: unknown) => log.abandon().then(() => Promise.reject(cause)))
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

  /** Where the first transaction begins that is not decided below the given bound, or that bound. */
  lastStableOffset(highWatermark: number): number {
    const undecided = Math.min(this.#written.firstOpenOffset ?? Infinity, this.#ended.firstUndecided(highWatermark) ?? Infinity)
    return Math.min(Math.max(undecided, this.logStartOffset), highWatermark)
  }

  /** Nothing can be written any more: a sync failed. */
  get isStopped(): boolean {
    return this.#writer.isStopped && !this.#isClosing
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
    return this.#admit(options.leaderEpoch, (place) => admitBatch(records, place))
  }

  /** Admits the marker that ends a producer's transaction, as `append` does. The memory stays the log's. */
  appendMarker(bytes: Buffer, options: MarkerRules & { readonly leaderEpoch: number }): Promise<Appended> {
    return this.#admit(options.leaderEpoch, (place) => admitMarker(bytes, place, options))
  }

  #admit(leaderEpoch: number, admit: (place: NextPlace) => Admission): Promise<Appended> {
    if (this.#isChanging) return Promise.resolve(failed(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'the log is being cut back'))
    if (this.#writer.isStopped || this.#isClosing) return Promise.resolve(failed(ErrorCode.KAFKA_STORAGE_ERROR, 'the log has stopped'))
    const { clock, config, keyless } = this.#options
    const now = clock.now()
    const admitted = admit({ producers: this.#admitted, config: config(), now, keyless, endOffset: this.#endOffset, leaderEpoch })
    if (admitted.kind === 'refused') return Promise.resolve(admitted.answer)
    if (admitted.kind === 'duplicate') return this.#answerDuplicate(admitted.original)
    const { batch, marker, answer } = admitted
    this.#admitted.apply(batch, { now, marker })
    this.#endOffset = batch.endOffset
    this.#writer.add(batch)
    return this.#pending.add(answer)
  }

  /**
   * Takes in batches as a leader has them, from the end of this log on: offsets, epochs and checksums are the leader's.
   * What is here already is passed over. Resolves once they are as durable as this broker makes them, or with the code
   * of what is wrong: CORRUPT_MESSAGE for a damaged one, OFFSET_OUT_OF_RANGE for a gap. The memory stays the log's.
   */
  replicate(records: Buffer): Promise<Appended> {
    if (this.#isChanging || this.#isClosing || this.#writer.isStopped) {
      return Promise.resolve(failed(ErrorCode.KAFKA_STORAGE_ERROR, 'the log is not written to'))
    }
    const now = this.#options.clock.now()
    const baseOffset = this.#endOffset
    for (const batch of batchesIn(records)) {
      if (batch.endOffset <= this.#endOffset) continue
      const problem = problemWith(batch, { nextOffset: this.#endOffset, latestEpoch: this.epochs.latest, gaps: this.#keeper.gaps })
      if (problem !== undefined) return Promise.resolve(problem)
      this.#admitted.apply(batch, { now, marker: markerIn(batch) })
      this.#endOffset = batch.endOffset
      this.#writer.add(batch)
    }
    const answer: Appended = { errorCode: ErrorCode.NONE, baseOffset, endOffset: this.#endOffset, logAppendTime: -1 }
    return this.#endOffset <= this.#durableEndOffset ? Promise.resolve(answer) : this.#pending.add(answer)
  }

  /** What it remembers of producers, with what is still being written. */
  get admitted(): Pick<ProducerState, 'knows' | 'hasOpenTransaction'> {
    return this.#admitted
  }

  /** Resolves once everything that was admitted is durable or has failed. */
  settled(): Promise<void> {
    return this.#writer.exclusively(async () => {})
  }

  /** The answer to what was sent before, once that is durable. */
  #answerDuplicate({ baseOffset, endOffset, timestamp }: Duplicate['original']): Promise<Appended> {
    const logAppendTime = this.#options.config().hasLogAppendTime ? timestamp : -1
    const answer: Appended = { errorCode: ErrorCode.NONE, baseOffset, endOffset, logAppendTime }
    return endOffset <= this.#durableEndOffset ? Promise.resolve(answer) : this.#pending.addAgain(answer)
  }

  #onWritten(segment: Segment, batches: readonly Positioned[]): void {
    const now = this.#options.clock.now()
    for (const { batch, position } of batches) {
      assert(this.#keeper.gaps.allow(this.#durableEndOffset, batch.baseOffset), `${batch.baseOffset} behind ${this.#durableEndOffset}`)
      const index = segment.openIndex()
      index.note(batch, { position, intervalBytes: indexIntervalBytes(this.#options) })
      segment.maxTimestamp = index.maxTimestamp
      this.epochs.note(batch.leaderEpoch, batch.baseOffset)
      const aborted = this.#written.apply(batch, { now, marker: markerIn(batch), ended: this.#ended })
      if (aborted !== undefined) segment.abortedCount = index.aborted.push(aborted)
      this.#hot.add(batch)
      this.#durableEndOffset = batch.endOffset
    }
    this.#listener?.(batches)
    this.#pending.answerBelow(this.#durableEndOffset)
  }

  #onFailed(cause: unknown): void {
    this.#endOffset = this.#durableEndOffset
    this.#admitted = this.#written.copy()
    this.#options.onFault(cause, 'appends failed')
    this.#pending.failAll(ErrorCode.KAFKA_STORAGE_ERROR, 'the disk failed')
  }

  #onStopped(cause: unknown): void {
    const error = new LogError('stopped', this.#options.directory, 'nothing is known any more of what is on the disk', cause)
    this.#options.onFault(error, 'stopped')
    this.#pending.failAll(ErrorCode.KAFKA_STORAGE_ERROR, 'the log has stopped')
  }

  /**
   * Whole batches from the one that holds `offset`; none at or past `endOffset`. From memory at once, else from one
   * segment. They are lent: `release` them once they were sent. Empty also where eviction was faster:
   * `localStartOffset` then lies behind `offset`.
   */
  read(range: BatchRange): LentBatches | Promise<LentBatches> {
    if (range.offset >= this.#durableEndOffset) return nothing
    if (range.offset >= (this.#hot.startOffset ?? Infinity)) return this.#hot.read(range)
    return readSegments(this.#segments, range, this.#options.pool)
  }

  /** The first record at or behind a timestamp that is not deleted. */
  offsetForTimestamp(timestamp: number): Promise<FoundRecord | undefined> {
    return findTimestamp(this.#segments.all, { timestamp, startOffset: this.logStartOffset }, this.#options.openBatch)
  }

  maxTimestamp(endOffset: number): Promise<FoundRecord | undefined> {
    return findMaxTimestamp(this.#segments.all, { startOffset: this.logStartOffset, endOffset }, this.#options.openBatch)
  }

  /** Transactions that were aborted and have records in the range, from what is on this disk. */
  aborted(range: { readonly start: number; readonly end: number }): readonly AbortedTransaction[] | Promise<AbortedTransaction[]> {
    return this.#segments.all.some(({ abortedCount }) => abortedCount > 0) ? findAborted(this.#segments, range) : []
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
    if (active !== undefined && active.bytes > 0 && isDue(active, { ...now, wallMs }, config)) await this.roll()
    for (const producers of [this.#written, this.#admitted]) producers.expire(wallMs, config.producerExpiryMs)
    if (config.isDeleted && !config.isTiered) {
      await this.#keeper.retain({ ...now, wallMs }, config).catch((cause: unknown) => this.#options.onFault(cause, 'not tidied'))
    }
    this.#keeper.rest()
  }

  /** Seals the open segment, unless it is empty. */
  async roll(): Promise<void> {
    await this.#writer.exclusively(async () => {
      const active = this.#segments.active
      if (active !== undefined && active.bytes > 0 && !this.#writer.isStopped) await this.#writer.roll(this.#durableEndOffset)
    }).catch((cause: unknown) => this.#options.onFault(cause, 'not tidied'))
  }

  /**
   * Forgets everything from an offset on, down to the start of the batch that holds it: what a leader does not have. What
   * was admitted and is not durable is answered as failed. For a replica that enters an epoch (KIP-101). Not below the log start.
   */
  truncateTo(offset: number): Promise<void> {
    assert(offset >= this.localStartOffset, `truncation to ${offset}, and the disk begins at ${this.localStartOffset}`)
    return this.#change((begun) => truncateLog({ files: this.#files, segments: this.#segments, epochs: this.epochs, offset }, {
      logStartOffset: this.logStartOffset, gaps: this.#keeper.gaps, lowerTo: (endOffset) => this.#keeper.lowerTo(endOffset).then(begun),
    }))
  }

  /**
   * Forgets everything, and begins at an offset with what another replica or tier knows of the records before it. The
   * log is the old or the new one after a crash. Throws `LogError` where the producers cannot be read.
   */
  startFresh(offset: number, beginning: Beginning): Promise<void> {
    const fresh = freshOf(beginning, this.#options.directory)
    assert(fresh.logStartOffset <= offset, `a log start at ${fresh.logStartOffset}, behind the beginning at ${offset}`)
    return this.#change((begun) => this.#keeper.writeFresh(offset, fresh).then(begun))
  }

  /**
   * Runs a change of the segments while nothing is written, and then takes in what is there as a start would. The change
   * says when it has begun. Where it does not begin, or has no room for that, the log goes on as it was.
   */
  async #change(change: (begun: () => void) => Promise<void>): Promise<void> {
    this.#isChanging = true
    let hasBegun = false
    const begun = () => void (hasBegun = true)
    try {
      await this.#writer.exclusively(() => this.#keeper.exclusively(async () => {
        if (this.#writer.isStopped) throw new LogError('stopped', this.#options.directory, 'the log has stopped')
        this.#writer.letGo()
        const left = this.#segments.all
        await change(begun)
        if (!hasBegun) return
        await this.#adopt(await recover(recoveryOptions(this.#options, this.#files)))
        for (const segment of left) await segment.close()
      }))
    } catch (cause) {
      if (hasBegun || !isShortage(cause)) this.#writer.stop(cause)
      throw cause
    } finally {
      this.#isChanging = false
    }
  }

  async #adopt({ segments, epochs, producers, endOffset, logStartOffset, cleaning }: Recovered): Promise<void> {
    this.#segments.reset(segments)
    this.#writer.begin()
    this.epochs.reset(epochs.starts)
    this.#written.take(producers)
    this.#ended.truncateFromEnd(endOffset)
    this.#admitted = producers.copy()
    this.#endOffset = endOffset
    this.#durableEndOffset = endOffset
    this.#hot.clear()
    await this.#keeper.begin({ logStartOffset, cleaning })
  }

  /** Ends in order: what was admitted is written, and the next start believes the files. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.settled()
    await this.#end({ isClean: !this.#writer.isStopped })
  }

  /** Closes without a word of it in the files: the next start takes what is there as after a crash. */
  async abandon(): Promise<void> {
    this.#isClosing = true
    await this.#end({ isClean: false })
  }

  async #end(how: { readonly isClean: boolean }): Promise<void> {
    await this.#writer.close()
    await this.#keeper.end(how)
    this.#hot.clear()
  }

  /** Closes, and removes everything. */
  async destroy(): Promise<void> {
    await this.abandon()
    await this.#options.disk.removeDirectory(this.#options.directory)
  }
}
