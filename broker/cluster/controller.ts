// What has to be done by somebody, now and then, for the whole cluster: take brokers for dead whose sessions are over, elect
// where nobody leads, give leadership back to where it was placed, end reassignments whose copies are in sync, move replicas off
// brokers that are being emptied. One broker at a time holds the lease for it. Two at once are harmless: each change is decided
// on the newest metadata, and made once.

import { type Clock, sleep } from '../runtime/clock.ts'
import type { Uuid } from '../runtime/random.ts'
import { type Table, TableError } from '../table/table.ts'
import { aliveBrokers, type BrokerImage, type Image } from './image.ts'
import { Lease, type LeaseLimits, LeaseWatch } from './lease.ts'
import { changeInParts, fenceInParts } from './large-changes.ts'
import { planElections, planPreferred, type RulesOf } from './leadership.ts'
import { sessionsPartition } from './membership.ts'
import type { Condition, MetadataLog } from './metadata-log.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { planFinishedReassignments } from './reassignment.ts'
import { type DrainReport, ReplicaMover } from './replica-mover.ts'

/** Where the lease is an item. */
export const controllerPartition = 'controller'

export interface ControllerLimits extends LeaseLimits {
  /** Milliseconds between two looks at whether leaders are where they were placed. */
  readonly balanceEveryMs: number
  /** Partitions that the controller moves off a broker at a time. */
  readonly movesMax: number
  /** Of one append; what is to be changed beyond that is changed in the next. */
  readonly partitionsPerChangeMax: number
}

export interface ControllerOptions {
  readonly table: Table
  readonly clock: Clock
  readonly metadata: Pick<MetadataLog, 'image' | 'change' | 'changeWhile' | 'tidy' | 'onChange'>
  readonly incarnation: Uuid
  readonly limits: ControllerLimits
  readonly rulesOf: RulesOf
  /** Whether this broker's own session is held. */
  hasSession(): boolean
  /** Whether replicas are to go to brokers that have fewer. */
  isRebalancing(): boolean
  onDraining(report: DrainReport): void
  onFault(cause: unknown): void
  onFenced(broker: BrokerImage, why: string): void
}

/** A look at the sessions, as of when it was sent: what was renewed since may be missing in its answer. */
interface Look {
  readonly brokers: readonly BrokerImage[]
  /** Monotonic. */
  readonly askedAt: number
}

export class Controller {
  readonly #options: ControllerOptions
  readonly #lease: Lease
  readonly #mover: ReplicaMover
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  /** Everybody watches, so that whoever takes over knows who else is silent: the controller and a leader may be one broker. */
  #watch: LeaseWatch
  #watchedAt: number
  #balancedAt: number
  #finishing: Promise<void> | undefined

  constructor(options: ControllerOptions) {
    const { table, clock, incarnation, limits, onFault } = options
    this.#options = options
    this.#mover = new ReplicaMover({ ...options, ...limits, reportEveryMs: limits.balanceEveryMs })
    this.#watch = new LeaseWatch(limits)
    this.#watchedAt = clock.monotonic()
    this.#balancedAt = clock.monotonic()
    this.#lease = new Lease({
      table, clock, limits, holder: incarnation, key: { partition: controllerPartition, sort: 'lease' }, onFault,
    })
    this.#done = this.#run()
    // The last replica that was waited for has just joined, perhaps: nobody needs to wait for the next look.
    options.metadata.onChange(() => {
      if (this.isActive && !this.#stopping.signal.aborted) this.#finishing ??= this.#finishReassignments()
    })
  }

  /** Whether this broker does it now. */
  get isActive(): boolean {
    return this.#lease.isHeld
  }

  /** Monotonic: a broker has renewed its session later than that, as far as was seen; -Infinity where it was not seen to. */
  renewedAfter({ brokerId, incarnation }: Pick<BrokerImage, 'brokerId' | 'incarnation'>): number {
    return this.#watch.renewedAfter(String(brokerId), incarnation)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
    await this.#finishing
    await this.#lease.release()
  }

  /**
   * Somebody has evidence that a broker is gone, and need not wait for its session to end. `judgedBy`: that holds only as long
   * as this does. Throws `TableError`.
   */
  async fence(broker: BrokerImage, why: string, judgedBy?: Condition): Promise<void> {
    const { metadata, rulesOf, onFenced, limits } = this.#options
    await fenceInParts(metadata, broker, {
      rulesOf, judgedBy, recordsMax: limits.partitionsPerChangeMax, onFenced: () => onFenced(broker, why),
    })
  }

  /** One that has renewed its session since may have begun to answer by itself again, and stays: the table sees to it. */
  async #fenceSilent(broker: BrokerImage): Promise<void> {
    const sort = String(broker.brokerId)
    await this.fence(broker, 'its session is over', { key: { partition: sessionsPartition, sort }, expect: this.#watch.seenVersion(sort) })
  }

  async #run(): Promise<void> {
    const { clock, onFault } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        const isOnDuty = await this.#takesDuty()
        // Not before: while a table does not answer, nobody's session is renewed, and what was seen then says nothing.
        const look = await this.#observe()
        if (isOnDuty) await this.#duty(look)
      } catch (cause) {
        onFault(cause)
      }
      await sleep(clock, this.#restMs(), signal)
    }
  }

  /** Whoever has left, and stops for as long as that takes, would hold the lease and, without a session, judge nobody. */
  async #takesDuty(): Promise<boolean> {
    if (this.#options.hasSession()) return this.#lease.acquire()
    await this.#lease.release()
    return false
  }

  /** Until the next renewal, or until the moment at which a lease will have ended that nobody renews. */
  #restMs(): number {
    const { clock, limits } = this.#options
    const now = clock.monotonic()
    const end = Math.min(this.#watch.nextEnd(now), this.#lease.othersEnd(now))
    return Math.max(1, Math.min(limits.renewEveryMs, end - now))
  }

  /**
   * Who could not renew its own session, or look at the others', cannot tell whether they could be renewed, and starts over.
   * Whoever serves by the time of the question is judged by its answer: who registers meanwhile took its session too late for it.
   */
  async #observe(): Promise<Look> {
    const { table, clock, limits, metadata, hasSession } = this.#options
    const look = { brokers: aliveBrokers(metadata.image), askedAt: clock.monotonic() }
    const sessions = await table.query(sessionsPartition, {})
    const now = clock.monotonic()
    if (!hasSession() || now - this.#watchedAt > limits.ttlMs - limits.renewEveryMs) this.#watch = new LeaseWatch(limits)
    this.#watchedAt = now
    this.#watch.observe(sessions, now)
    return look
  }

  async #duty({ brokers, askedAt }: Look): Promise<void> {
    const { metadata, limits, rulesOf } = this.#options
    for (const broker of brokers) {
      if (this.#watch.isAlive(String(broker.brokerId), broker.incarnation, askedAt)) continue
      await this.#step(() => this.#fenceSilent(broker))
    }
    await this.#step(() => this.#change((image) => planElections(image, [], rulesOf)))
    await this.#step(() => this.#change((image) => planFinishedReassignments(image, rulesOf)))
    await this.#step(() => this.#mover.look(askedAt))
    await this.#step(() => metadata.tidy())
    if (askedAt - this.#balancedAt < limits.balanceEveryMs) return
    this.#balancedAt = askedAt
    await this.#step(() => this.#change(planPreferred))
  }

  /** What cannot be done for one broker or topic is no reason to leave the others alone; a table that is away is one. */
  async #step(take: () => Promise<void>): Promise<void> {
    try {
      await take()
    } catch (cause) {
      if (cause instanceof TableError && cause.code !== 'invalid') throw cause
      this.#options.onFault(cause)
    }
  }

  async #finishReassignments(): Promise<void> {
    const { rulesOf, onFault } = this.#options
    try {
      await this.#change((image) => planFinishedReassignments(image, rulesOf))
    } catch (cause) {
      onFault(cause)
    } finally {
      this.#finishing = undefined
    }
  }

  /** Planned on what is known first, so that nothing is asked of the table where there is nothing to do. */
  async #change(plan: (image: Image) => MetadataRecord[]): Promise<void> {
    const { metadata, limits } = this.#options
    if (plan(metadata.image).length === 0) return
    await changeInParts(metadata, plan, { recordsMax: limits.partitionsPerChangeMax })
  }
}
