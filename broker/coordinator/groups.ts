// The group coordinator's door: finds a group, loads it if need be, and hands it what it is asked.

import type { TransactionRules } from '../log/transaction-rules.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { randomId } from './member-id.ts'
import { newUuid, type Random, type Uuid } from '../runtime/random.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { type Table, TableError } from '../table/table.ts'
import type { ConsumerMember } from './consumer/consumer-group.ts'
import type { CoordinatorDirectory } from './directory.ts'
import type { Group } from './group.ts'
import type { EndTransaction } from './offsets/transactional.ts'
import { canBeStored, type Head } from './group-items.ts'
import type { GroupLimits, GroupSettings } from './group-settings.ts'
import { GroupStore } from './group-store.ts'
import { type Ask, LiveGroup } from './live-group.ts'
import { type ListedGroup, listed, listedHead } from './listed-group.ts'
import { Loads } from './loads.ts'
import { OwnShards } from './own-shards.ts'
import { subscribedTopicsOf } from './consumer/subscriptions.ts'
import { type TransactionGuard, TransactionGuards } from './transaction-guards.ts'
import type { Topics } from './topics.ts'

export interface GroupsOptions {
  readonly table: Table
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly topics: Topics
  readonly directory: CoordinatorDirectory
  /** What is in force for a group now, its own settings included. */
  readonly settings: (groupId: string) => GroupSettings
  readonly rules?: TransactionRules | undefined
  readonly limits: GroupLimits
}

export class Groups {
  readonly #options: GroupsOptions
  /** For whoever asks of transactions what is written here afterwards. */
  readonly guards = new TransactionGuards()
  readonly #store: GroupStore
  readonly #live = new Map<string, LiveGroup>()
  readonly #own: OwnShards
  readonly #loading: Loads<LiveGroup>
  #sweepTimer: Timer | undefined
  #isClosed = false

  constructor(options: GroupsOptions) {
    this.#options = options
    this.#own = new OwnShards(options.directory, 'group')
    this.#loading = new Loads({ clock: options.clock, waitMs: options.limits.loadWaitMs })
    const subscribedBy = (members: readonly ConsumerMember[]) => subscribedTopicsOf(members, options.topics)
    this.#store = new GroupStore({ table: options.table, brokerId: options.directory.brokerId, subscribedBy })
    options.topics.onChange((deleted) => this.#forgetTopics(deleted))
  }

  /** How many groups are in memory. */
  get size(): number {
    return this.#live.size
  }

  get topics(): Topics {
    return this.#options.topics
  }

  settings(groupId: string): GroupSettings {
    return this.#options.settings(groupId)
  }

  /** For a member that has none. */
  newMemberId(prefix: string): string {
    return `${prefix}-${randomId(this.#options.random)}`
  }

  /** For a member of a consumer group whose client did not choose an id. */
  newConsumerId(): string {
    return newUuid(this.#options.random)
  }

  /** Looks through all groups of this broker now and then, from now on. */
  start(): void {
    this.#sweepSoon(0)
  }

  /** Requests that wait are refused, timers end. What is being written is left to end as it will. */
  close(): void {
    this.#isClosed = true
    this.#sweepTimer?.cancel()
    for (const live of [...this.#live.values()]) live.drop(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  }

  /** The answer of the group, or the code that refuses the request as a whole. */
  async execute<R>(groupId: string, ask: Ask): Promise<R | ErrorCode> {
    const answer = await this.#execute<R>(groupId, ask)
    if (answer === ErrorCode.NOT_COORDINATOR) await this.#options.directory.othersKnow?.()
    return answer
  }

  async #execute<R>(groupId: string, ask: Ask): Promise<R | ErrorCode> {
    const live = await this.#find(groupId)
    if (typeof live === 'number') return live
    const answer = await live.execute<R>(ask)
    this.#forgetAbsent(groupId, live)
    return answer
  }

  /** Unless somebody has a guard of it: then what was known of it before the question is what the write after it has to hold against. */
  #forgetAbsent(groupId: string, live: LiveGroup): void {
    const isAbsent = live.group.membership === undefined && live.isIdle(0)
    if (isAbsent && !this.guards.isHeld(groupId)) this.#live.delete(groupId)
  }

  /** What came of the question is written, or nothing is. */
  releaseGuard(guard: TransactionGuard): void {
    this.guards.release(guard)
    const live = this.#live.get(guard.groupId)
    if (live !== undefined) this.#forgetAbsent(guard.groupId, live)
  }

  /** A transaction has ended: what waits for that in the group does so no more. The code says whether that is in the table. */
  endTransaction(groupId: string, end: Omit<EndTransaction, 'ticket'>): Promise<ErrorCode> {
    this.guards.ended(groupId, end.producerId)
    return this.execute<ErrorCode>(groupId, { kind: 'endTransaction', ...end })
  }

  /** The group as it is, for those who only look; one that does not exist is empty. */
  async look(groupId: string): Promise<Group | ErrorCode> {
    const live = await this.#find(groupId)
    if (typeof live === 'number') return live
    // A change is decided by the table; who only looks would not learn that somebody else has made one.
    if (this.#options.directory.isCertain?.() === false) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    this.#forgetAbsent(groupId, live)
    return live.group
  }

  /** All groups that this broker coordinates: those in memory as they are, the others as they were stored. */
  async list(): Promise<readonly ListedGroup[] | ErrorCode> {
    const shards = this.#own.all()
    try {
      const heads = (await Promise.all(shards.map((shard) => this.#store.list(shard)))).flat()
      const found = new Map<string, ListedGroup>()
      for (const { groupId, head } of heads) if (head.kind !== 'deleted') found.set(groupId, listedHead(groupId, head))
      for (const [groupId, live] of this.#live) {
        found.delete(groupId)
        if (live.group.membership !== undefined) found.set(groupId, listed(groupId, live.group.membership))
      }
      return [...found.values()]
    } catch (error) {
      if (error instanceof TableError) return ErrorCode.COORDINATOR_NOT_AVAILABLE
      throw error
    }
  }

  /** Drops groups that other brokers own by now: they would learn it from their next write, their clients sooner from this. */
  releaseForeign(): void {
    this.guards.lost((groupId) => !this.#own.hold(groupId))
    for (const [groupId, live] of [...this.#live]) if (!this.#own.hold(groupId)) live.drop(ErrorCode.NOT_COORDINATOR)
  }

  async #find(groupId: string): Promise<LiveGroup | ErrorCode> {
    if (this.#isClosed) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if (!canBeStored(groupId)) return ErrorCode.INVALID_GROUP_ID
    if (!this.#own.hold(groupId)) {
      this.#live.get(groupId)?.drop(ErrorCode.NOT_COORDINATOR)
      return ErrorCode.NOT_COORDINATOR
    }
    const live = this.#live.get(groupId)
    if (live !== undefined) return live
    return this.#loading.wait(groupId, () => this.#loadNow(groupId))
  }

  async #loadNow(groupId: string): Promise<LiveGroup | ErrorCode> {
    const { limits, clock, logger, topics, settings, rules } = this.#options
    if (this.#live.size + this.#loading.size > limits.groupsMax) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    try {
      const loaded = await this.#store.load(groupId)
      // One that moved meanwhile would live on here, and its timers end the sessions of members that its new owner serves.
      if (loaded === undefined || !this.#own.hold(groupId)) return ErrorCode.NOT_COORDINATOR
      if (this.#isClosed) return ErrorCode.COORDINATOR_NOT_AVAILABLE
      const onDropped = (dropped: LiveGroup) => {
        this.guards.lost((lost) => lost === groupId)
        if (this.#live.get(groupId) === dropped) this.#live.delete(groupId)
      }
      const live = new LiveGroup(loaded, { clock, logger, store: this.#store, topics, settings, limits, rules, onDropped })
      this.#live.set(groupId, live)
      return live
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      logger.warn({ groupId, error }, 'a group could not be loaded')
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
    }
  }

  #forgetTopics(deleted: readonly Uuid[]): void {
    if (deleted.length === 0) return
    const topicIds = new Set(deleted)
    for (const live of this.#live.values()) {
      if (deleted.some((topicId) => hasOffsets(live.group, topicId))) live.tell({ kind: 'forgetTopics', topicIds })
    }
  }

  #sweepSoon(delayMs: number): void {
    if (this.#isClosed) return
    this.#sweepTimer = this.#options.clock.after(delayMs, () => {
      this.sweep().catch((error: unknown) => this.#options.logger.error({ error }, 'looking through the groups failed'))
        .finally(() => this.#sweepSoon(this.#options.limits.sweepEveryMs))
    })
  }

  /**
   * Loads the groups of this broker's shards that have members, so that their sessions run; lets offsets and groups
   * expire; and forgets what was deleted long ago.
   */
  async sweep(): Promise<void> {
    const { clock, limits, logger } = this.#options
    for (const [groupId, live] of [...this.#live]) {
      if (live.isIdle(limits.idleMs)) this.#live.delete(groupId)
      else if (live.group.membership !== undefined) live.tell({ kind: 'expireOffsets' })
    }
    try {
      for (const shard of this.#own.all()) {
        const heads = await this.#store.list(shard)
        const pending = heads.filter(({ groupId }) => !this.#live.has(groupId))
        for (let start = 0; start < pending.length; start += limits.loadsMax) {
          await Promise.all(pending.slice(start, start + limits.loadsMax).map((one) => this.#sweepOne(one, clock.now())))
        }
      }
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      logger.warn({ error }, 'the groups could not be looked through')
    }
  }

  async #sweepOne({ groupId, version, head }: { groupId: string; version: number; head: Head }, now: number): Promise<void> {
    if (this.#isClosed) return
    if (head.kind === 'deleted') {
      if (now - head.changedAt >= this.#options.limits.tombstoneMs) await this.#store.bury(groupId, version)
      return
    }
    const mayExpire = now - head.changedAt >= this.settings(groupId).offsetRetentionMs
    if (head.pages.length === 0 && !mayExpire) return
    const live = await this.#find(groupId)
    if (typeof live !== 'number') live.tell({ kind: 'expireOffsets' })
  }
}

function hasOffsets({ offsets, pending }: Group, topicId: Uuid): boolean {
  return offsets.has(topicId) || [...pending.values()].some((waiting) => waiting.offsets.has(topicId))
}
