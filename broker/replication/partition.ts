// A partition that this broker leads: its log, its part in the object store, and how far they may be read.
//
//   log start        local start       tier end       last stable   high watermark   log end
//   |-- object store only --|-- both ------|-- local only --|-- open txns --|-- not yet committed --|
//
// The high watermark is the end of what every in-sync replica holds durably. With one replica that is what the log
// holds durably.

import type { LentBatches } from '../log/hot-ring.ts'
import type { Appended, PartitionLog } from '../log/partition-log.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { Uuid } from '../runtime/random.ts'
import type { AbortedRange, ColdTier, OffsetAndTimestamp } from './cold-tier.ts'

export interface PartitionOptions {
  readonly topicId: Uuid
  readonly topicName: string
  readonly partition: number
  readonly log: PartitionLog
  readonly leaderEpoch: number
}

export interface ReadRequest {
  readonly offset: number
  readonly bytesMax: number
  /** One batch is returned even if it is larger than `bytesMax`. */
  readonly minOneBatch: boolean
  /** Only what is below the last stable offset, with the transactions that were aborted. */
  readonly isCommittedOnly: boolean
  /** Monotonic milliseconds at which an answer is due. */
  readonly deadline: number
  /** What the client believes; -1: it does not say. */
  readonly currentLeaderEpoch: number
  /** Of the last record that the client has; -1: it does not say. */
  readonly lastFetchedEpoch: number
}

export interface PartitionRead {
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly buffers: readonly Buffer[]
  readonly bytes: number
  /** Gives the memory of `buffers` back, once they were sent or nobody wants them. */
  release(): void
  /** Null unless only committed records were asked for. */
  readonly aborted: readonly AbortedRange[] | null
  /** Where the client's log and ours part, when they do (KIP-595). */
  readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number } | undefined
}

export class Partition {
  readonly topicId: Uuid
  readonly topicName: string
  readonly partition: number
  readonly log: PartitionLog
  /** Set once the tier knows the partition; until then what is not on disk is answered as unavailable. */
  tier: ColdTier | undefined
  readonly #watchers = new Set<(bytes: number) => void>()
  #leaderEpoch: number

  constructor(options: PartitionOptions) {
    this.topicId = options.topicId
    this.topicName = options.topicName
    this.partition = options.partition
    this.log = options.log
    this.#leaderEpoch = options.leaderEpoch
    options.log.onDurable((batches) => this.#tellWatchers(batches))
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch
  }

  /** Leads in a new epoch. */
  lead(leaderEpoch: number): void {
    this.#leaderEpoch = leaderEpoch
  }

  /** Exclusive: the first offset that consumers may not see. */
  get highWatermark(): number {
    return this.log.durableEndOffset
  }

  /** Exclusive: the first offset that may belong to a transaction that is not decided. */
  get lastStableOffset(): number {
    return this.log.lastStableOffset(this.highWatermark)
  }

  get logStartOffset(): number {
    return this.log.logStartOffset
  }

  /** Calls `listener` with the number of bytes that became readable, each time. Returns what stops it. */
  watch(listener: (bytes: number) => void): () => void {
    this.#watchers.add(listener)
    return () => this.#watchers.delete(listener)
  }

  /**
   * Admits a batch in the order of the calls; resolves when every in-sync replica holds it durably. A refusal is in the
   * answer's code.
   */
  append(records: Buffer): Promise<Appended> {
    return this.log.append(records, { leaderEpoch: this.#leaderEpoch })
  }

  /** The log holds more durably, so consumers may read more. */
  #tellWatchers(batches: readonly { readonly batch: { readonly bytes: Uint8Array } }[]): void {
    if (this.#watchers.size === 0) return
    let bytes = 0
    for (const { batch } of batches) bytes += batch.bytes.length
    for (const listener of this.#watchers) listener(bytes)
  }

  /** What a read says that finds nothing. */
  nothing(errorCode: number = ErrorCode.NONE): PartitionRead {
    return {
      errorCode, highWatermark: this.highWatermark, lastStableOffset: this.lastStableOffset, logStartOffset: this.logStartOffset,
      buffers: none, bytes: 0, release: keep, aborted: null, divergingEpoch: undefined,
    }
  }

  /** Batches from the one that contains the offset. What is in memory is returned at once. */
  read(request: ReadRequest): PartitionRead | Promise<PartitionRead> {
    const { offset, isCommittedOnly } = request
    const refused = this.checkEpoch(request.currentLeaderEpoch)
    if (refused !== ErrorCode.NONE) return this.nothing(refused)
    const diverging = this.#divergence(request)
    if (diverging !== undefined) return { ...this.nothing(), divergingEpoch: diverging }
    if (offset < this.logStartOffset || offset > this.log.endOffset) return this.nothing(ErrorCode.OFFSET_OUT_OF_RANGE)
    const endOffset = isCommittedOnly ? this.lastStableOffset : this.highWatermark
    if (offset >= endOffset || (request.bytesMax <= 0 && !request.minOneBatch)) {
      return isCommittedOnly ? { ...this.nothing(), aborted: [] } : this.nothing()
    }
    if (offset < this.log.localStartOffset) return this.#readCold(request, endOffset)
    const read = this.log.read({ offset, endOffset, bytesMax: request.bytesMax, minOneBatch: request.minOneBatch })
    if (read instanceof Promise) return read.then((done) => this.#local(request, done, endOffset))
    return this.#local(request, read, endOffset)
  }

  /** Whether a client that knows of this epoch may go on: it is older, or newer than ours. */
  checkEpoch(currentLeaderEpoch: number): ErrorCode {
    if (currentLeaderEpoch === -1 || currentLeaderEpoch === this.#leaderEpoch) return ErrorCode.NONE
    return currentLeaderEpoch < this.#leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH
  }

  /** Where an epoch ended here, or the last one before it that we know of. -1/-1: we know nothing of it. */
  endOffsetForEpoch(epoch: number): { readonly epoch: number; readonly endOffset: number } {
    return this.log.epochs.endOffsetFor(epoch, this.log.endOffset) ?? { epoch: -1, endOffset: -1 }
  }

  #divergence({ offset, lastFetchedEpoch }: ReadRequest): { epoch: number; endOffset: number } | undefined {
    if (lastFetchedEpoch < 0) return undefined
    const end = this.log.epochs.endOffsetFor(lastFetchedEpoch, this.log.endOffset)
    if (end === undefined || end.epoch < lastFetchedEpoch || end.endOffset < offset) {
      return end === undefined ? undefined : { epoch: end.epoch, endOffset: end.endOffset }
    }
    return undefined
  }

  #local(request: ReadRequest, lent: LentBatches, endOffset: number): PartitionRead | Promise<PartitionRead> {
    let bytes = 0
    for (const buffer of lent.buffers) bytes += buffer.length
    const read = { ...this.nothing(), buffers: lent.buffers, bytes, release: lent.release }
    if (!request.isCommittedOnly) return read
    const aborted = this.log.aborted({ start: request.offset, end: endOffset })
    return aborted instanceof Promise ? aborted.then((found) => ({ ...read, aborted: found })) : { ...read, aborted }
  }

  async #readCold(request: ReadRequest, endOffset: number): Promise<PartitionRead> {
    if (this.tier === undefined) return this.nothing(unavailable)
    const found = await this.tier.read({
      offset: request.offset, endOffset, bytesMax: request.bytesMax, minOneBatch: request.minOneBatch,
      wantsAborted: request.isCommittedOnly, deadline: request.deadline,
    })
    // Retention may have moved the start meanwhile, and only then is the offset out of range.
    if (request.offset < this.logStartOffset) return this.nothing(ErrorCode.OFFSET_OUT_OF_RANGE)
    if (found === 'unavailable') return this.nothing(unavailable)
    if (found === 'pending') return this.nothing()
    let bytes = 0
    for (const buffer of found.buffers) bytes += buffer.length
    const aborted = request.isCommittedOnly ? found.aborted : null
    return { ...this.nothing(), buffers: found.buffers, bytes, release: found.release, aborted }
  }

  /** The first record at or behind a timestamp, over both tiers; the lower offset wins, for timestamps are not monotonic. */
  async offsetForTimestamp(timestamp: number, endOffset: number): Promise<OffsetAndTimestamp | undefined | 'unavailable'> {
    if (this.tier !== undefined && this.logStartOffset < this.log.localStartOffset) {
      const cold = await this.tier.offsetForTimestamp(timestamp)
      if (cold === 'unavailable') return cold
      if (cold !== undefined && cold.offset >= this.logStartOffset) return cold.offset < endOffset ? cold : undefined
    }
    const local = await this.log.offsetForTimestamp(timestamp)
    return local !== undefined && local.offset < endOffset ? local : undefined
  }

  /** The record with the largest timestamp, over both tiers; undefined in an empty partition. */
  async maxTimestamp(): Promise<OffsetAndTimestamp | undefined | 'unavailable'> {
    const local = await this.log.maxTimestamp()
    if (this.tier === undefined || this.logStartOffset >= this.log.localStartOffset) return local
    const cold = await this.tier.maxTimestamp()
    if (cold === 'unavailable' || cold === undefined) return cold ?? local
    return local === undefined || cold.timestamp >= local.timestamp ? cold : local
  }

  /** Deletes records below an offset; -1: all that consumers may see. Returns the new log start or the refusal. */
  async deleteRecords(before: number): Promise<{ readonly logStartOffset: number } | { readonly errorCode: number }> {
    const offset = before === -1 ? this.highWatermark : before
    if (offset < 0 || offset > this.highWatermark) return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }
    if (offset > this.logStartOffset) {
      await this.log.advanceLogStart(offset)
      await this.tier?.advanceLogStart(offset)
    }
    return { logStartOffset: this.logStartOffset }
  }
}

const none: readonly Buffer[] = []

/** Nothing to give back: the collector has it. */
function keep(): void {}

/** Retriable in every client, and never a reason to reset a position. */
const unavailable = ErrorCode.KAFKA_STORAGE_ERROR
