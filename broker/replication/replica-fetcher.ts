// Copies what one leader has for us: one request at a time for all partitions that follow it. What is answered is durable
// here before the next request says so; a partition whose log has to be cut back or begun anew sits out meanwhile.

import { ErrorCode } from '../protocol/error-code.ts'
import { apiVersionsApi } from '../protocol/messages/api-versions.ts'
import { fetchApi } from '../protocol/messages/fetch.ts'
import type { Api, GivenOf, ReadOf, Shape } from '../protocol/schema.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Uuid } from '../runtime/random.ts'
import type { CopyThrottle } from './copy-throttle.ts'
import { type FetchedPartition, Follower, type FetchReply, type FollowerOptions, type Progress, type WantedPartition } from './follower.ts'
import type { Partition } from './partition.ts'

/** A connection to another broker, for one life. Calls reject where it is lost. */
export interface BrokerConnection {
  call<Q extends Shape, P extends Shape>(
    api: Api<Q, P>, of: { readonly version: number; readonly request: GivenOf<Q>; readonly timeoutMs: number },
  ): Promise<{
    readonly response: ReadOf<P>
    /** Gives back the memory that the reply's bytes are in: once, when nobody can see them any more. */
    release(): void
  }>
  close(): void
}

export interface FetcherLimits {
  /** Milliseconds that a leader holds a request for which it has nothing. */
  readonly waitMsMax: number
  /** Beyond those, milliseconds until a leader that does not answer is given up. */
  readonly silenceMsMax: number
  /** Of one answer, and of each partition in it. */
  readonly responseBytesMax: number
  readonly partitionBytesMax: number
  /** Milliseconds after which what failed is tried again; twice as long each time, up to `retryMsMax`. */
  readonly retryMs: number
  readonly retryMsMax: number
}

export interface FetcherOptions extends Pick<FollowerOptions, 'rejoin' | 'onFault' | 'rules'> {
  readonly clock: Clock
  /** Whom it fetches from. */
  readonly leader: number
  readonly self: { readonly brokerId: number; brokerEpoch(): number }
  readonly limits: FetcherLimits
  /** Of all fetchers together; without one nothing is slowed down. */
  readonly throttle?: CopyThrottle
  connect(brokerId: number): Promise<BrokerConnection>
  /** The leader does not answer. */
  onSilence(leader: number, cause: unknown): void
}

interface Copy {
  readonly follower: Follower
  /** What was answered is being carried out, or it waits to be tried again. */
  isBusy: boolean
  failures: number
}

export class ReplicaFetcher {
  readonly #options: FetcherOptions
  readonly #copies = new Map<Partition, Copy>()
  readonly #stopping = new AbortController()
  #connection: BrokerConnection | undefined
  #wake = new AbortController()
  readonly #done: Promise<void>

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#done = this.#run()
  }

  get size(): number {
    return this.#copies.size
  }

  /** From now on this partition is copied in this epoch. */
  add(partition: Partition, leaderEpoch: number): void {
    const { rejoin, onFault, rules, limits, clock } = this.#options
    const follower = new Follower({
      partition, leaderEpoch, rejoin, onFault, rules, clock, bytesMax: limits.partitionBytesMax, trimRetryMs: limits.retryMsMax,
    })
    const copy: Copy = { follower, isBusy: true, failures: 0 }
    this.#copies.set(partition, copy)
    void follower.begin().then(() => this.#rejoinRound(copy))
  }

  remove(partition: Partition): void {
    this.#copies.delete(partition)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#interrupt()
    await this.#done
  }

  /** A request may be held that does not ask for it. It is given up: nothing but a connection is lost with it. */
  #rejoinRound(copy: Copy): void {
    copy.isBusy = false
    if (this.#copies.get(copy.follower.partition) === copy) this.#interrupt()
  }

  #interrupt(): void {
    this.#wake.abort()
    this.#connection?.close()
    this.#connection = undefined
  }

  async #run(): Promise<void> {
    const { clock, limits, leader, onSilence } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const wake = this.#wake.signal
      const ready = this.#ready()
      if (ready.size === 0) {
        await sleep(clock, limits.retryMs, wake)
        continue
      }
      try {
        await this.#round(ready, wake)
      } catch (cause) {
        if (wake.aborted) continue
        this.#connection?.close()
        this.#connection = undefined
        onSilence(leader, cause)
        await sleep(clock, limits.retryMs, wake)
      }
    }
  }

  #ready(): ReadonlyMap<string, Copy> {
    const ready = new Map<string, Copy>()
    const isHeld = this.#options.throttle?.held()
    for (const [partition, copy] of this.#copies) {
      // A log that has stopped does not hold what it says: to fetch with its end would be to acknowledge what is not there.
      if (copy.isBusy || !copy.follower.isCurrent || partition.log.isStopped || isHeld?.(partition)) continue
      ready.set(keyOf(partition.topicId, partition.partition), copy)
    }
    return ready
  }

  async #round(ready: ReadonlyMap<string, Copy>, wake: AbortSignal): Promise<void> {
    const { response: { errorCode, responses }, release } = await this.#fetch(ready, wake)
    if (errorCode !== ErrorCode.NONE) throw new Error(`the leader refused to be fetched from with code ${errorCode}`)
    const taken: Promise<Progress>[] = []
    for (const { topicId, partitions } of responses) {
      for (const fetched of partitions) {
        const copy = ready.get(keyOf(topicId, fetched.partitionIndex))
        if (copy === undefined) continue
        copy.isBusy = true
        const isQuick = copy.follower.isQuick(fetched)
        const done = copy.follower.take(fetched).then((progress) => this.#took(copy, { progress, isQuick }))
        if (isQuick) taken.push(done)
        if (!hasRecords(fetched)) continue
        this.#options.throttle?.took(copy.follower.partition, fetched.records!.length)
        this.#putLast(copy)
      }
    }
    // What was appended is durable then, and the next request says so.
    const progress = await Promise.all(taken)
    // Of what was refused or has failed, parts may still be on their way to the disk.
    if (!progress.includes('later')) release()
  }

  /** An answer has room for so much: who has had some of it comes behind those who had none. */
  #putLast(copy: Copy): void {
    const { partition } = copy.follower
    if (this.#copies.get(partition) !== copy) return
    this.#copies.delete(partition)
    this.#copies.set(partition, copy)
  }

  #took(copy: Copy, { progress, isQuick }: { readonly progress: Progress; readonly isQuick: boolean }): Progress {
    const { clock, limits } = this.#options
    if (progress === 'later') {
      const waitMs = Math.min(limits.retryMs * 2 ** copy.failures++, limits.retryMsMax)
      clock.after(waitMs, () => this.#rejoinRound(copy))
      return progress
    }
    copy.failures = 0
    if (isQuick) copy.isBusy = false
    else this.#rejoinRound(copy)
    return progress
  }

  async #fetch(ready: ReadonlyMap<string, Copy>, wake: AbortSignal): Promise<{ readonly response: FetchReply; release(): void }> {
    const { self, limits } = this.#options
    const connection = this.#connection ?? await this.#connect(wake)
    const topics = new Map<Uuid, WantedPartition[]>()
    for (const { follower } of ready.values()) {
      const { topicId } = follower.partition
      let partitions = topics.get(topicId)
      if (partitions === undefined) topics.set(topicId, (partitions = []))
      partitions.push(follower.wanted())
    }
    return connection.call(fetchApi, {
      version: fetchVersion, timeoutMs: limits.waitMsMax + limits.silenceMsMax,
      request: {
        replicaState: { replicaId: self.brokerId, replicaEpoch: self.brokerEpoch() },
        maxWaitMs: limits.waitMsMax, minBytes: 1, maxBytes: limits.responseBytesMax,
        topics: [...topics].map(([topicId, partitions]) => ({ topic: '', topicId, partitions })), forgottenTopicsData: [],
      },
    })
  }

  /** A fetch says that we keep up. The leader would wait for one whose answers do not reach us, so it has to be heard first. */
  async #connect(wake: AbortSignal): Promise<BrokerConnection> {
    const { limits, connect, leader } = this.#options
    const connection = await connect(leader)
    if (wake.aborted) {
      connection.close()
      throw new Error('interrupted')
    }
    this.#connection = connection
    const request = { clientSoftwareName: 'longtail', clientSoftwareVersion: '1' }
    const { release } = await connection.call(apiVersionsApi, { version: apiVersionsVersion, request, timeoutMs: limits.silenceMsMax })
    release()
    return connection
  }
}

const fetchVersion = 18
const apiVersionsVersion = 3

function hasRecords({ records }: FetchedPartition): boolean {
  return records !== null && records.length > 0
}

function keyOf(topicId: Uuid, partition: number): string {
  return `${topicId}:${partition}`
}
