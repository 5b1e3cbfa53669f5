// A replica of a partition on this broker: its log, its part in the object store, and how far they may be read. It leads,
// follows, or does neither while nobody leads.
//
//   log start        local start       tier end       last stable   high watermark   log end
//   |-- object store only --|-- both ------|-- local only --|-- open txns --|-- not yet committed --|
//
// The high watermark is the end of what every in-sync replica holds durably. A leader works it out (leader-state.ts), and
// a follower learns it from the leader, always a little late.

import type { PartitionImage } from '../cluster/image.ts'
import { allRules, type TransactionRule } from '../runtime/rules.ts'
import type { LentBatches } from '../log/hot-ring.ts'
import type { MarkerRules } from '../log/admission.ts'
import type { Appended, PartitionLog } from '../log/partition-log.ts'
import { failed } from '../log/pending-appends.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { Uuid } from '../runtime/random.ts'
import type { ColdTier, OffsetAndTimestamp } from './cold-tier.ts'
import { divergence, type Divergence } from './divergence.ts'
import { beginTerm } from './leader-state.ts'
import { LeaderTerm, type TermSurroundings } from './leader-term.ts'
import type { FollowerRead, PartitionRead, ReadRequest } from './partition-read.ts'
import { type Deleted, deleteRecords } from './record-deletion.ts'
import { findMaxTimestamp, findTimestamp } from './time-lookup.ts'
import { TransactionalAppends } from './transactional-appends.ts'

export type { PartitionRead } from './partition-read.ts'

export interface PartitionOptions {
  readonly topicId: Uuid
  readonly topicName: string
  readonly partition: number
  readonly log: PartitionLog
  readonly brokerId: number
  readonly around: TermSurroundings
  /** The in-sync replicas of this partition, which it leads, are to be changed. */
  onOutOfSync(partition: Partition): void
  /** It has begun or ceased to lead or follow. */
  onRole(partition: Partition): void
}

/** What a replica does in an epoch. */
export type Role =
  | { readonly kind: 'idle' }
  /** Elected, and not at it yet: what is being written was another leader's. */
  | { readonly kind: 'about to lead'; readonly leaderEpoch: number }
  | { readonly kind: 'leads'; readonly term: LeaderTerm }
  | { readonly kind: 'follows'; readonly leader: number; readonly leaderEpoch: number }

/** Whom a watcher serves: consumers see what is committed, some only what no open transaction is before, followers all that is written. */
export type Watched = 'committed' | 'stable' | 'written'

export interface AppendOptions {
  readonly acks: number
  readonly timeoutMs: number
}

export class Partition {
  readonly topicId: Uuid
  readonly topicName: string
  readonly partition: number
  readonly log: PartitionLog
  /** What has to be asked of transactions' coordinators before it is appended. */
  readonly transactional = new TransactionalAppends(this)
  /** Set once the tier knows the partition; until then what is not on disk is answered as unavailable. */
  tier: ColdTier | undefined
  readonly #options: PartitionOptions
  readonly #watchers: Record<Watched, Set<(bytes: number) => void>> = { committed: new Set(), stable: new Set(), written: new Set() }
  #role: Role = idle
  /** As the metadata has it; undefined before it said anything. */
  #image: PartitionImage | undefined
  /** What a leader said, or what was committed when this replica last led. */
  #knownHighWatermark: number
  /** Of what was written last: about how many bytes one offset stands for. Until that is known it may be enough for anybody. */
  #bytesPerOffset = Infinity

  constructor(options: PartitionOptions) {
    this.#options = options
    this.topicId = options.topicId
    this.topicName = options.topicName
    this.partition = options.partition
    this.log = options.log
    this.#knownHighWatermark = options.log.logStartOffset
    options.log.onDurable((batches) => this.#onWritten(batches))
  }

  get role(): Role {
    return this.#role
  }

  get leaderEpoch(): number {
    return this.#image?.leaderEpoch ?? -1
  }

  /** Whether it has a role in which consumers can be served. */
  get isServing(): boolean {
    return this.#role.kind === 'leads' || this.#role.kind === 'follows'
  }

  /** The term in which it leads; undefined where it does not. */
  get term(): LeaderTerm | undefined {
    return this.#role.kind === 'leads' ? this.#role.term : undefined
  }

  /**
   * Takes the role that the metadata gives this broker. What waits in an earlier one fails at once; resolves when the new
   * one is taken.
   */
  async assume(image: PartitionImage): Promise<void> {
    const { brokerId } = this.#options
    const isSameEpoch = image.leaderEpoch === this.leaderEpoch
    this.#image = image
    if (isSameEpoch && this.#role.kind !== 'idle') {
      this.term?.adopt(image)
      return
    }
    this.retire()
    if (image.leader === brokerId) await this.#lead(image.leaderEpoch)
    else if (image.leader >= 0) this.#change({ kind: 'follows', leader: image.leader, leaderEpoch: image.leaderEpoch })
  }

  /** Leads and follows no more: what waits is told so, before anything else can happen to the log (R10). */
  retire(): void {
    const { term } = this
    if (term !== undefined) this.#knownHighWatermark = Math.max(this.#knownHighWatermark, term.highWatermark)
    term?.end()
    this.#change(idle)
  }

  async #lead(leaderEpoch: number): Promise<void> {
    const { log, brokerId, around, topicName, onOutOfSync } = this.#options
    const role: Role = { kind: 'about to lead', leaderEpoch }
    this.#role = role
    await log.settled()
    if (this.#role !== role) return
    const { endOffset } = log
    log.epochs.begin(leaderEpoch, endOffset)
    const start = beginTerm({
      brokerId, partition: this.#image!, endOffset, highWatermark: this.#knownHighWatermark, now: around.clock.monotonic(),
    })
    const term: LeaderTerm = new LeaderTerm({
      start, around, topicName, durableEndOffset: () => log.durableEndOffset, onOutOfSync: () => onOutOfSync(this),
      onCommitted: (highWatermark) => this.#onCommitted(highWatermark),
    })
    this.#knownHighWatermark = Math.max(this.#knownHighWatermark, term.highWatermark)
    this.#change({ kind: 'leads', term })
  }

  #change(role: Role): void {
    this.#role = role
    // Whoever waits here for records has to look at what it is told now.
    for (const watched of ['committed', 'stable', 'written'] as const) this.#tell(watched, Infinity)
    this.#options.onRole(this)
  }

  /** The leader says how far its log is committed; a follower believes what it has of that. */
  learnHighWatermark(highWatermark: number): void {
    if (this.#role.kind === 'follows') this.#onCommitted(Math.min(highWatermark, this.log.durableEndOffset))
  }

  /** Exclusive: the first offset that consumers may not see. */
  get highWatermark(): number {
    return Math.min(this.term?.highWatermark ?? this.#knownHighWatermark, this.log.durableEndOffset)
  }

  /** Exclusive: the first offset that may belong to a transaction that is not decided. */
  get lastStableOffset(): number {
    return this.isKept('readers stop at what is open') ? this.log.lastStableOffset(this.highWatermark) : this.highWatermark
  }

  isKept(rule: TransactionRule): boolean {
    return this.#options.around.rules?.isRemoved(rule) !== true
  }

  get logStartOffset(): number {
    return this.log.logStartOffset
  }

  /** Calls `listener` with the number of bytes that can be read since, each time. Returns what stops it. */
  watch(listener: (bytes: number) => void, watched: Watched = 'committed'): () => void {
    this.#watchers[watched].add(listener)
    return () => this.#watchers[watched].delete(listener)
  }

  /**
   * Admits a batch in the order of the calls; resolves when it is as durable as `acks` asks for: here for 0 and 1, on every
   * in-sync replica for -1, or after `timeoutMs`. A refusal is in the answer's code.
   */
  append(records: Buffer, options: AppendOptions): Promise<Appended> {
    return this.#append(options, (leaderEpoch) => this.log.append(records, { leaderEpoch }))
  }

  /** The same for the marker that ends a producer's transaction: resolves when it is on every in-sync replica. */
  appendMarker(marker: Buffer, options: MarkerRules & { readonly timeoutMs: number }): Promise<Appended> {
    return this.#append({ ...options, acks: -1 }, (leaderEpoch) => {
      this.transactional.ended(marker, options)
      return this.log.appendMarker(marker, { ...options, leaderEpoch })
    })
  }

  #append(options: AppendOptions, append: (leaderEpoch: number) => Promise<Appended>): Promise<Appended> {
    const { term } = this
    const refusal = term?.refusal(options.acks) ?? ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (term === undefined || refusal !== ErrorCode.NONE) return Promise.resolve(failed(refusal, 'nothing was appended'))
    return append(term.leaderEpoch).then((appended) => {
      return appended.errorCode === ErrorCode.NONE ? term.acknowledge(appended, options) : appended
    })
  }

  #onWritten(batches: readonly { readonly batch: { readonly bytes: Uint8Array; readonly recordCount: number } }[]): void {
    let [bytes, records] = [0, 0]
    for (const { batch } of batches) {
      bytes += batch.bytes.length
      records += batch.recordCount
    }
    this.#bytesPerOffset = bytes / Math.max(records, 1)
    this.term?.written()
    this.#tell('written', bytes)
  }

  #onCommitted(highWatermark: number): void {
    const offsets = highWatermark - this.#knownHighWatermark
    if (offsets <= 0) return
    const stableBefore = this.log.lastStableOffset(this.#knownHighWatermark)
    this.#knownHighWatermark = highWatermark
    const stable = this.log.lastStableOffset(highWatermark) - stableBefore
    this.#tell('committed', Math.ceil(offsets * this.#bytesPerOffset))
    // A marker is small, and what it sets free may be as much as anybody waits for.
    if (stable > 0) this.#tell('stable', stable > offsets ? Infinity : Math.ceil(stable * this.#bytesPerOffset))
  }

  #tell(watched: Watched, bytes: number): void {
    for (const listener of this.#watchers[watched]) listener(bytes)
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
    if (offset < this.logStartOffset) return this.nothing(ErrorCode.OFFSET_OUT_OF_RANGE)
    if (offset > this.log.endOffset) return this.nothing(this.#codeBeyondEnd())
    const endOffset = isCommittedOnly ? this.lastStableOffset : this.highWatermark
    if (offset >= endOffset || (request.bytesMax <= 0 && !request.minOneBatch)) {
      return isCommittedOnly ? { ...this.nothing(), aborted: [] } : this.nothing()
    }
    if (offset < this.log.localStartOffset) return this.#readCold(request, endOffset)
    const read = this.log.read({ offset, endOffset, bytesMax: request.bytesMax, minOneBatch: request.minOneBatch })
    if (read instanceof Promise) return read.then((done) => this.#local(request, done, endOffset))
    return this.#local(request, read, endOffset)
  }

  /**
   * Whether the high watermark is that of the partition: a new leader has to learn first what was committed before (KIP-207),
   * and one whose session is over may have a successor.
   */
  certainty(): ErrorCode {
    const { term } = this
    if (term === undefined || !term.mayAnswerAlone) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    return term.isSettled ? ErrorCode.NONE : ErrorCode.OFFSET_NOT_AVAILABLE
  }

  /** Whether a client that knows of this epoch may go on: it is older, or newer than ours. */
  checkEpoch(currentLeaderEpoch: number): ErrorCode {
    if (currentLeaderEpoch === -1 || currentLeaderEpoch === this.leaderEpoch) return ErrorCode.NONE
    return currentLeaderEpoch < this.leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH
  }

  /** Where an epoch ended here, or the last one before it that we know of. -1/-1: we know nothing of it. */
  endOffsetForEpoch(epoch: number): { readonly epoch: number; readonly endOffset: number } {
    return this.log.epochs.endOffsetFor(epoch, this.log.endOffset) ?? { epoch: -1, endOffset: -1 }
  }

  /** A consumer that is ahead of a leader is wrong; one that is ahead of a follower has been told more by the leader (KIP-392). */
  #codeBeyondEnd(): ErrorCode {
    return this.#role.kind === 'leads' ? ErrorCode.OFFSET_OUT_OF_RANGE : ErrorCode.OFFSET_NOT_AVAILABLE
  }

  #divergence({ offset, lastFetchedEpoch }: Pick<ReadRequest, 'offset' | 'lastFetchedEpoch'>): Divergence | undefined {
    return divergence(this.log.epochs, { endOffset: this.log.endOffset, offset, lastFetchedEpoch })
  }

  /**
   * What a follower fetches: everything that is written, from local disk. What is only in the object store it takes from
   * there (KIP-405). That its log agrees with ours below the offset is checked before it counts (R2).
   */
  readAsFollower(request: FollowerRead): PartitionRead | Promise<PartitionRead> {
    const { term } = this
    if (term === undefined) return this.nothing(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    const { offset, bytesMax, minOneBatch, brokerId, brokerEpoch } = request
    const { rules = allRules } = this.#options.around
    const refused = this.checkEpoch(request.currentLeaderEpoch)
    if (refused !== ErrorCode.NONE && !rules.isRemoved('fetches are checked for the leader epoch')) return this.nothing(refused)
    if (!term.state.replicas.includes(brokerId)) return this.nothing(ErrorCode.REPLICA_NOT_AVAILABLE)
    const diverging = rules.isRemoved('followers truncate') ? undefined : this.#divergence(request)
    if (diverging !== undefined) return { ...this.nothing(), divergingEpoch: diverging }
    if (offset < this.logStartOffset || offset > this.log.endOffset) return this.nothing(ErrorCode.OFFSET_OUT_OF_RANGE)
    if (offset < this.log.localStartOffset) return this.nothing(ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE)
    // What it asked for once says nothing new when it is read for again: it may have left the in-sync replicas since.
    if (request.isAgain !== true) term.fetched({ brokerId, brokerEpoch, offset })
    const read = this.log.read({ offset, endOffset: this.log.durableEndOffset, bytesMax, minOneBatch })
    const local = { ...request, isCommittedOnly: false, deadline: Infinity }
    if (read instanceof Promise) return read.then((done) => this.#local(local, done, offset))
    return this.#local(local, read, offset)
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
    // An empty answer would be asked for again and again: what comes next may be the disk's.
    if ('nextOffset' in found) return this.read({ ...request, offset: found.nextOffset, lastFetchedEpoch: -1 })
    let bytes = 0
    for (const buffer of found.buffers) bytes += buffer.length
    const aborted = request.isCommittedOnly ? found.aborted : null
    return { ...this.nothing(), buffers: found.buffers, bytes, release: found.release, aborted }
  }

  /** The first record at or behind a timestamp, over both tiers, that lies below an offset. */
  offsetForTimestamp(timestamp: number, endOffset: number): Promise<OffsetAndTimestamp | undefined | 'unavailable'> {
    return findTimestamp(this, timestamp, endOffset)
  }

  /** The record with the largest timestamp below an offset, over both tiers; undefined where none has one. */
  maxTimestamp(endOffset: number): Promise<OffsetAndTimestamp | undefined | 'unavailable'> {
    return findMaxTimestamp(this, endOffset)
  }

  /** Deletes records below an offset; -1: all that consumers may see. Returns the new log start or the refusal. */
  deleteRecords(before: number): Promise<Deleted> {
    return deleteRecords(this, before)
  }
}

const idle: Role = { kind: 'idle' }

const none: readonly Buffer[] = []

/** Nothing to give back: the collector has it. */
function keep(): void {}

/** Retriable in every client, and never a reason to reset a position. */
const unavailable = ErrorCode.KAFKA_STORAGE_ERROR
