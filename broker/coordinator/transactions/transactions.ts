// The transaction coordinator's door: finds a transactional id, loads it if need be, and hands it what it is asked.

import type { TransactionRules } from '../../log/transaction-rules.ts'
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Random } from '../../runtime/random.ts'
import { ErrorCode } from '../../protocol/error-code.ts'
import { type Table, TableError } from '../../table/table.ts'
import type { CoordinatorDirectory } from '../directory.ts'
import { Loads } from '../loads.ts'
import { OwnShards } from '../own-shards.ts'
import type { Topics } from '../topics.ts'
import type { Audience } from './ending.ts'
import { type Ask, LiveTransaction } from './live-transaction.ts'
import { Telling } from './telling.ts'
import type { Transaction } from './transaction.ts'
import { canBeTransactionalId, type StoredTransaction, transactionOf } from './transaction-items.ts'
import type { TransactionLimits, TransactionSettings } from './transaction-settings.ts'
import { type Listed, TransactionStore } from './transaction-store.ts'

export interface TransactionsOptions {
  readonly table: Table
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly topics: Topics
  readonly directory: CoordinatorDirectory
  readonly audience: Audience
  readonly settings: () => TransactionSettings
  readonly limits: TransactionLimits
  readonly rules?: TransactionRules | undefined
  /** Throws `TableError`. */
  newProducerId(): Promise<number>
}

export interface ExecuteOptions {
  /** The same request asks for other ids as well, whose answers wait for this one. */
  readonly isBesideOthers?: boolean
}

export class Transactions {
  readonly #options: TransactionsOptions
  readonly #store: TransactionStore
  readonly #telling: Telling
  readonly #live = new Map<string, LiveTransaction>()
  readonly #own: OwnShards
  readonly #loading: Loads<LiveTransaction>
  /** Lost in the middle of something, and still this broker's: they are loaded again, each after a while. */
  readonly #reloads = new Map<string, Timer>()
  #sweepTimer: Timer | undefined
  #isSweeping = false
  #isClosed = false
  #timeouts = 0

  constructor(options: TransactionsOptions) {
    this.#options = options
    this.#own = new OwnShards(options.directory, 'transaction')
    this.#loading = new Loads({ clock: options.clock, waitMs: options.limits.loadWaitMs })
    const { table, clock, random, logger, audience, directory: { brokerId }, limits } = options
    this.#store = new TransactionStore({ table, brokerId, bytesMax: limits.bytesMax })
    this.#telling = new Telling({
      clock, random, audience, limits: limits.telling,
      onFault: (broker, cause) => logger.debug({ broker, cause }, 'a broker was not reached with how transactions have ended'),
    })
  }

  get topics(): Topics {
    return this.#options.topics
  }

  /** Transactions that are open, as far as this broker has them in memory. */
  get openCount(): number {
    let count = 0
    for (const { transaction } of this.#live.values()) if (transaction?.state === 'Ongoing') count += 1
    return count
  }

  /** Transactional ids in memory. */
  get size(): number {
    return this.#live.size
  }

  /** Transactions whose time was over, since the start. */
  get timeoutCount(): number {
    return this.#timeouts
  }

  /** Partitions and groups that are still to be told how a transaction has ended. */
  get untoldCount(): number {
    return this.#telling.size
  }

  /** Looks through the table now and then, from now on. */
  start(): void {
    this.#sweepIn(0, this.#options.limits.sweepAgainMs)
  }

  /** Requests that wait are refused, timers end. What is being written or told is left to end as it will. */
  close(): void {
    this.#isClosed = true
    this.#sweepTimer?.cancel()
    for (const timer of this.#reloads.values()) timer.cancel()
    this.#reloads.clear()
    for (const live of [...this.#live.values()]) live.drop(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    this.#telling.close()
  }

  /** What the command is answered with, or the code that refuses it. */
  async execute<R>(transactionalId: string, ask: Ask, options: ExecuteOptions = {}): Promise<R | ErrorCode> {
    return (await this.executeAs<R>(transactionalId, ask, options)).answer
  }

  /** The same, and the epoch of the coordinator that answers; -1: it is none. */
  async executeAs<R>(
    transactionalId: string, ask: Ask, { isBesideOthers }: ExecuteOptions = {},
  ): Promise<{ readonly answer: R | ErrorCode; readonly coordinatorEpoch: number }> {
    const { alone, besideOthers } = this.#options.limits.patienceMs
    const patienceMs = ask.kind !== 'add' ? 0 : isBesideOthers ? besideOthers : alone
    const live = await this.#findFor(transactionalId, ask)
    const answer = typeof live === 'number' ? live : await live.execute<R>(ask, patienceMs)
    if (answer === ErrorCode.NOT_COORDINATOR) await this.#options.directory.othersKnow?.()
    if (typeof live === 'number') return { answer, coordinatorEpoch: -1 }
    if (live.transaction === undefined && live.isIdle(0)) this.#forget(live)
    return { answer, coordinatorEpoch: live.coordinatorEpoch }
  }

  async #findFor(transactionalId: string, { kind }: Ask): Promise<LiveTransaction | ErrorCode> {
    // Who cannot be told how a transaction ends does not become part of one.
    return kind === 'add' && this.#telling.isFull ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : this.#find(transactionalId)
  }

  /** All that this broker coordinates: those in memory as they are, the others as they were stored. */
  async list(): Promise<readonly Transaction[] | ErrorCode> {
    try {
      const listed = (await Promise.all(this.#own.all().map((shard) => this.#store.list(shard)))).flat()
      const found = new Map<string, Transaction>()
      for (const { transactionalId, item } of listed) {
        const transaction = transactionOf(transactionalId, item)
        if (transaction !== undefined) found.set(transactionalId, transaction)
      }
      for (const [transactionalId, { transaction }] of this.#live) {
        if (transaction === undefined) found.delete(transactionalId)
        else found.set(transactionalId, transaction)
      }
      return [...found.values()]
    } catch (error) {
      if (error instanceof TableError) return ErrorCode.COORDINATOR_NOT_AVAILABLE
      throw error
    }
  }

  /** Other brokers come and go: lets go of what they own by now, and looks after what is this one's. */
  ownersChanged(): void {
    for (const [transactionalId, live] of [...this.#live]) {
      if (!this.#own.hold(transactionalId)) live.drop(ErrorCode.NOT_COORDINATOR)
    }
    this.#sweepIn(0, this.#options.limits.sweepAgainMs)
  }

  async #find(transactionalId: string): Promise<LiveTransaction | ErrorCode> {
    if (this.#isClosed) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if (!canBeTransactionalId(transactionalId)) return ErrorCode.INVALID_REQUEST
    if (!this.#own.hold(transactionalId)) {
      this.#live.get(transactionalId)?.drop(ErrorCode.NOT_COORDINATOR)
      return ErrorCode.NOT_COORDINATOR
    }
    const live = this.#live.get(transactionalId)
    if (live !== undefined) return live
    return this.#loading.wait(transactionalId, () => this.#loadNow(transactionalId))
  }

  async #loadNow(transactionalId: string): Promise<LiveTransaction | ErrorCode> {
    const { limits, logger } = this.#options
    if (!this.#hasRoom()) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    try {
      const loaded = await this.#store.load(transactionalId)
      // One that moved meanwhile would live on here, beside its new owner.
      if (loaded === undefined || !this.#own.hold(transactionalId)) return ErrorCode.NOT_COORDINATOR
      if (this.#isClosed) return ErrorCode.COORDINATOR_NOT_AVAILABLE
      const live = this.#opened(transactionalId, loaded)
      this.#live.set(transactionalId, live)
      return live
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      logger.warn({ transactionalId, error, retryMs: limits.retryMs }, 'a transactional id could not be loaded')
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
    }
  }

  #opened(transactionalId: string, loaded: ConstructorParameters<typeof LiveTransaction>[1]): LiveTransaction {
    const { clock, logger, settings, limits, rules, newProducerId, directory } = this.#options
    return new LiveTransaction(transactionalId, loaded, {
      clock, logger, settings, limits, rules, newProducerId, store: this.#store,
      isCertain: () => directory.isCertain?.() !== false,
      tell: (ending, told) => this.#telling.tell(ending, told, () => this.#live.get(transactionalId)?.drop(ErrorCode.NOT_COORDINATOR)),
      hush: () => this.#telling.hush(transactionalId),
      onTimeout: () => (this.#timeouts += 1),
      onDropped: (dropped, isInMiddle) => {
        this.#forget(dropped)
        if (isInMiddle) this.#reloadSoon(transactionalId)
      },
    })
  }

  #forget(live: LiveTransaction): void {
    if (this.#live.get(live.transactionalId) === live) this.#live.delete(live.transactionalId)
  }

  /** Where it is full, what nobody needs makes room. */
  #hasRoom(): boolean {
    const { transactionsMax } = this.#options.limits
    if (this.#live.size + this.#loading.size < transactionsMax) return true
    for (const live of this.#live.values()) {
      if (!live.isIdle(0)) continue
      this.#forget(live)
      return true
    }
    return false
  }

  /** It may have been open, or being ended, and nobody else looks after that as long as it is this broker's. */
  #reloadSoon(transactionalId: string): void {
    if (this.#isClosed || this.#reloads.has(transactionalId) || !this.#own.hold(transactionalId)) return
    const { clock, limits, logger } = this.#options
    this.#reloads.set(transactionalId, clock.after(limits.retryMs, () => {
      this.#reloads.delete(transactionalId)
      this.#find(transactionalId).then((live) => {
        if (typeof live === 'number') this.#reloadSoon(transactionalId)
        else if (live.transaction === undefined && live.isIdle(0)) this.#forget(live)
      }, (error: unknown) => logger.error({ transactionalId, error }, 'a transactional id could not be loaded again'))
    }))
  }

  /** Then again after `...rest`, and then as often as ever. */
  #sweepIn(delayMs: number, ...rest: readonly number[]): void {
    if (this.#isClosed) return
    const { clock, limits, logger } = this.#options
    this.#sweepTimer?.cancel()
    this.#sweepTimer = clock.after(delayMs, () => {
      const [next = limits.sweepEveryMs, ...later] = rest
      this.#sweepIn(next, ...later)
      this.sweep().then((isWhole) => {
        if (!isWhole) this.#sweepIn(limits.retryMs, ...rest)
      }, (error: unknown) => logger.error({ error }, 'looking through the transactions failed'))
    })
  }

  /**
   * Loads what is open or being ended in this broker's shards, so that its time runs and its end is told; lets ids expire; and
   * removes what was forgotten long ago. False: not all of it could be looked at.
   */
  async sweep(): Promise<boolean> {
    if (this.#isSweeping) return false
    this.#isSweeping = true
    const { clock, limits, settings } = this.#options
    try {
      const expired = clock.now() - settings().idExpirationMs
      for (const live of [...this.#live.values()]) {
        if (live.transaction !== undefined && live.transaction.changedAt <= expired) live.note({ kind: 'expire' })
        if (live.isIdle(limits.idleMs)) this.#forget(live)
      }
      let isWhole = true
      for (const shard of this.#own.all()) isWhole = await this.#sweepShard(shard) && isWhole
      return isWhole
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      this.#options.logger.warn({ error }, 'the transactions could not be looked through')
      return false
    } finally {
      this.#isSweeping = false
    }
  }

  async #sweepShard(shard: number): Promise<boolean> {
    const { clock, limits } = this.#options
    const listed = await this.#store.list(shard)
    const pending = listed.filter(({ transactionalId, item }) => !this.#live.has(transactionalId) && this.#concerns(item, clock.now()))
    let isWhole = true
    for (let start = 0; start < pending.length; start += limits.loadsMax) {
      const looked = await Promise.all(pending.slice(start, start + limits.loadsMax).map((one) => this.#sweepOne(one)))
      isWhole &&= !looked.includes(false)
    }
    return isWhole
  }

  #concerns(item: StoredTransaction, now: number): boolean {
    if (item.kind === 'forgotten') return now - item.changedAt >= this.#options.limits.tombstoneMs
    if (item.state === 'Ongoing' || item.state === 'PrepareCommit' || item.state === 'PrepareAbort') return true
    return now - item.changedAt >= this.#options.settings().idExpirationMs
  }

  async #sweepOne({ transactionalId, version, item }: Listed): Promise<boolean> {
    if (this.#isClosed) return true
    if (item.kind === 'forgotten') {
      await this.#store.bury(transactionalId, version)
      return true
    }
    const live = await this.#find(transactionalId)
    if (typeof live === 'number') return live === ErrorCode.NOT_COORDINATOR
    live.note({ kind: 'expire' })
    return true
  }
}
