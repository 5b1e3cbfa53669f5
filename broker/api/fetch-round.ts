import { isStorageFailure } from '../log/storage-failure.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { FetchRequest } from '../protocol/messages/fetch.ts'
import type { Partition, PartitionRead } from '../replication/partition.ts'
import type { Uuid } from '../runtime/random.ts'
import type { FetchContext } from './fetch.ts'
import type { FetchTarget } from './fetch-session.ts'
import { preferredReplica } from './preferred-replica.ts'
import { Wakeup } from './wakeup.ts'

/** A broker that keeps copies. */
export interface FetchingBroker {
  readonly brokerId: number
  readonly brokerEpoch: number
}

export interface FetchResult {
  readonly target: FetchTarget
  readonly topicId: Uuid | undefined
  readonly partition: Partition | undefined
  readonly read: PartitionRead
  /** Where the consumer better reads (KIP-392); undefined: here. */
  readonly preferredReplica?: number | undefined
}

/** What is read, for whom, and how that goes by. */
export interface FetchRoundOf {
  readonly request: FetchRequest
  readonly follower: FetchingBroker | undefined
  /** What is answered where a topic does not exist: clients that go by names do not know the code for ids, and give up. */
  readonly unknown: ErrorCode
}

/** One pass over the partitions. */
interface Round {
  readonly results: FetchResult[]
  isOver: boolean
}

/** One request's reads over its partitions, repeated until there is enough. */
export class FetchRound {
  readonly #context: FetchContext
  readonly #request: FetchRequest
  readonly #follower: FetchingBroker | undefined
  readonly #unknown: ErrorCode
  readonly #targets: readonly (readonly [FetchTarget, Uuid | undefined])[]
  #results: FetchResult[] = []
  #hasRead = false
  #unwatch: (() => void)[] = []

  constructor(context: FetchContext, of: FetchRoundOf, targets: readonly (readonly [FetchTarget, Uuid | undefined])[]) {
    this.#context = context
    this.#request = of.request
    this.#follower = of.follower
    this.#unknown = of.unknown
    this.#targets = targets
  }

  get results(): readonly FetchResult[] {
    return this.#results
  }

  get bytes(): number {
    let bytes = 0
    for (const { read } of this.#results) bytes += read.bytes
    return bytes
  }

  get hasError(): boolean {
    return this.#results.some(({ read, preferredReplica }) => {
      return read.errorCode !== ErrorCode.NONE || read.divergingEpoch !== undefined || preferredReplica !== undefined
    })
  }

  /** Whether something is led elsewhere, and the client will look for it. */
  get isTurnedAway(): boolean {
    return this.#results.some(({ read }) => read.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  /**
   * Listens, from before the read on, so that nothing that arrives during it is missed. Wakes when `bytesMin` have
   * become readable since.
   */
  watch(bytesMin: number): Wakeup {
    const wakeup = new Wakeup(this.#context.clock)
    let arrived = 0
    const listener = (bytes: number) => {
      arrived += bytes
      if (arrived + this.bytes >= bytesMin) wakeup.wake()
    }
    for (const [target, topicId] of this.#targets) {
      if (topicId === undefined) continue
      const partition = this.#find(target, topicId)
      const watched = this.#follower !== undefined ? 'written' : this.#request.isolationLevel === 1 ? 'stable' : 'committed'
      if (typeof partition !== 'number') this.#unwatch.push(partition.watch(listener, watched))
    }
    return wakeup
  }

  /** Gives back what was read. `isReusable`: nobody can see the memory any more, the system included. */
  release({ isReusable }: { readonly isReusable: boolean }): void {
    for (const { read } of this.#results) {
      this.#context.replyBudget.give(read.bytes)
      if (isReusable) read.release()
    }
    this.#results = []
  }

  unwatch(): void {
    for (const stop of this.#unwatch) stop()
    this.#unwatch = []
  }

  /**
   * Reads every partition within the bytes that are left. What is in memory comes at once; reads of disks and object
   * store go on side by side. Where there is something already, the object store gets only a short grace.
   */
  async read(deadline: number): Promise<void> {
    this.release({ isReusable: true })
    const { replyBudget, fetchLimits } = this.#context
    const bytesMax = Math.min(this.#request.maxBytes, fetchLimits.bytesMax())
    const pending: Promise<void>[] = []
    const results: FetchResult[] = []
    const round: Round = { results, isOver: false }
    let reserved = 0
    this.#targets.forEach(([target, topicId], index) => {
      const left = Math.max(replyBudget.allowance(Math.min(target.bytesMax, bytesMax - reserved)), 0)
      const partition = this.#find(target, topicId)
      if (typeof partition === 'number') {
        results[index] = { target, topicId, partition: undefined, read: refusedRead(partition) }
        return
      }
      const preferredReplica = this.#follower === undefined ? this.#preferred(partition, target) : undefined
      if (preferredReplica !== undefined) {
        results[index] = { target, topicId, partition, read: partition.nothing(), preferredReplica }
        return
      }
      const read = this.#readFrom(partition, target, { bytesMax: left, minOneBatch: reserved === 0, deadline })
      const isReady = !(read instanceof Promise)
      reserved += isReady ? read.bytes : left
      replyBudget.take(isReady ? read.bytes : left)
      results[index] = { target, topicId, partition, read: isReady ? read : partition.nothing() }
      if (!isReady) pending.push(this.#whenRead(read, { round, index, reserved: left }))
    })
    this.#hasRead = true
    try {
      if (pending.length > 0) await this.#settle(pending, results)
    } finally {
      round.isOver = true
      this.#results = results
    }
  }

  #readFrom(partition: Partition, target: FetchTarget, bounds: { bytesMax: number; minOneBatch: boolean; deadline: number }) {
    const { fetchOffset: offset, currentLeaderEpoch, lastFetchedEpoch } = target
    const request = { offset, currentLeaderEpoch, lastFetchedEpoch, ...bounds }
    if (this.#follower !== undefined) return partition.readAsFollower({ ...request, ...this.#follower, isAgain: this.#hasRead })
    return partition.read({ ...request, isCommittedOnly: this.#request.isolationLevel === 1 })
  }

  #preferred(partition: Partition, { fetchOffset: offset }: FetchTarget): number | undefined {
    const { rackId } = this.#request
    return rackId === '' ? undefined : preferredReplica(this.#context, partition, { rackId, offset })
  }

  /** Takes in what was read from a disk or the object store, unless the round is over: then it came too late. */
  async #whenRead(
    read: Promise<PartitionRead>,
    of: { readonly round: Round; readonly index: number; readonly reserved: number },
  ): Promise<void> {
    const { replyBudget } = this.#context
    const { round, index } = of
    try {
      const done = await read
      if (round.isOver) return done.release()
      replyBudget.take(done.bytes)
      round.results[index] = { ...round.results[index]!, read: done }
    } catch (cause) {
      if (!isStorageFailure(cause)) throw cause
      // A disk that cannot be read is this partition's trouble, and none of the others in the request.
      const result = round.results[index]!
      this.#context.onUnreadable?.(result.partition!, cause)
      if (!round.isOver) round.results[index] = { ...result, read: result.partition!.nothing(ErrorCode.KAFKA_STORAGE_ERROR) }
    } finally {
      replyBudget.give(of.reserved)
    }
  }

  async #settle(pending: readonly Promise<unknown>[], results: readonly FetchResult[]): Promise<void> {
    const all = Promise.all(pending)
    if (!results.some(({ read }) => read.bytes > 0)) {
      await all
      return
    }
    const grace = new Wakeup(this.#context.clock)
    all.then(() => grace.wake(), () => grace.wake())
    await grace.orAfter(this.#context.fetchLimits.coldGraceMs)
  }

  #find(target: FetchTarget, topicId: Uuid | undefined): Partition | ErrorCode {
    const found = topicId === undefined ? ErrorCode.UNKNOWN_TOPIC_ID : this.#replica(target, topicId)
    // One that is deleted while the request is held was still found by its name when that came.
    return found === ErrorCode.UNKNOWN_TOPIC_ID ? this.#unknown : found
  }

  #replica({ partition: index }: FetchTarget, topicId: Uuid): Partition | ErrorCode {
    const { partitions } = this.#context
    // Only who says where it stands is sent to followers, so nobody else has to be served by them.
    const mayFollow = this.#follower === undefined && this.#request.rackId !== ''
    if (!mayFollow) return partitions.leader(topicId, index)
    const partition = partitions.replica(topicId, index)
    return typeof partition === 'number' || partition.isServing ? partition : ErrorCode.NOT_LEADER_OR_FOLLOWER
  }
}

function refusedRead(errorCode: number): PartitionRead {
  return {
    errorCode, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, buffers: [], bytes: 0, release() {}, aborted: null,
    divergingEpoch: undefined,
  }
}
