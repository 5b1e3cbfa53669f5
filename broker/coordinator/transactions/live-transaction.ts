// A transactional id in memory: its commands, one batch after the other.
//
//   execute ─▶ queue ─▶ decide on a draft ─▶ fold ─▶ save (table) ─▶ the draft is the transaction ─▶ replies
//                            └── next command of the batch ──┘                  └▶ tell partitions and groups how it ends
//
// Commands that arrive while a batch is being written are decided together afterwards, and written together: the partitions of a
// transaction that come in at once cost one write. Nothing is answered, and nobody is told, before it is in the table.

import type { TransactionRule, TransactionRules } from '../../log/transaction-rules.ts'
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { ErrorCode } from '../../protocol/error-code.ts'
import { TableError } from '../../table/table.ts'
import type { Ticket } from '../decision.ts'
import { type Command, decide, mayTakeProducerId } from './command.ts'
import type { Circumstances, Decision } from './decision.ts'
import type { Ending } from './ending.ts'
import { fold, isDurable, isOpen, isPreparing, type Transaction, type TransactionRecord } from './transaction.ts'
import type { TransactionLimits, TransactionSettings } from './transaction-settings.ts'
import type { Claim, SaveResult, TransactionStore } from './transaction-store.ts'

export interface LiveTransactionOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: TransactionStore
  readonly settings: () => TransactionSettings
  readonly limits: TransactionLimits
  readonly rules?: TransactionRules | undefined
  /** Throws `TableError`. */
  newProducerId(): Promise<number>
  /** Whether nobody else can have claimed what is this broker's. */
  isCertain(): boolean
  /** Tells everybody how a transaction ends; `told` is called once they all know. */
  tell(ending: Ending, told: () => void): void
  /** Nobody is told any more: this broker has lost the id. */
  hush(transactionalId: string): void
  /** An open transaction is aborted because its time is over. */
  onTimeout(): void
  /** This one must be loaded again before anybody asks it anything; and soon, where it was in the middle of something. */
  onDropped(live: LiveTransaction, isInMiddle: boolean): void
}

type WithoutTicket<C> = C extends { readonly ticket: Ticket } ? Omit<C, 'ticket'> : never
/** A command before it has a ticket. */
export type Ask = WithoutTicket<Command>

interface Queued {
  readonly command: Command
  readonly ticket: Ticket
  /** Until when it waits, rather than be told that the transaction before it is still being told how it ended; monotonic milliseconds. */
  readonly patientUntil: number
}

interface Batch extends Decision {
  readonly queued: readonly Queued[]
  readonly draft: Transaction | undefined
}

export class LiveTransaction {
  readonly transactionalId: string
  readonly #options: LiveTransactionOptions
  readonly #parked = new Map<Ticket, (answer: unknown) => void>()
  #queue: Queued[] = []
  /** Those that wait for everybody to be told; by ticket. */
  readonly #patient = new Map<Ticket, Queued & { readonly timer: Timer }>()
  #transaction: Transaction | undefined
  #claim: Claim
  #lastTicket = 0
  #isWriting = false
  #isDropped = false
  /** Whether the table says what memory says; else the transaction is complete, and the table does not know it yet. */
  #isSettled = true
  #timer: Timer | undefined
  #usedAt: number
  #retryAt = 0
  /** Of the transaction that is open: when its time is over, in monotonic milliseconds. */
  #deadline: { readonly startedAt: number; readonly at: number } | undefined
  /** Fetched for the next decision that takes one. */
  #producerIds: number[] = []

  constructor(
    transactionalId: string, loaded: { readonly transaction: Transaction | undefined; readonly claim: Claim },
    options: LiveTransactionOptions,
  ) {
    this.transactionalId = transactionalId
    this.#options = options
    this.#transaction = loaded.transaction
    this.#claim = loaded.claim
    this.#usedAt = options.clock.monotonic()
    this.#followUp(undefined)
    this.#arm()
  }

  /** As it is in the table, or complete where the table says that it will be. */
  get transaction(): Transaction | undefined {
    return this.#transaction
  }

  /** As in the markers of its transactions, as long as this is the one in memory. */
  get coordinatorEpoch(): number {
    return this.#claim.coordinatorEpoch
  }

  /** Nothing is open and nobody waits: may be dropped, and loaded again when needed. */
  isIdle(sinceMs: number): boolean {
    const isAlone = this.#isAtRest() && this.#isSettled && this.#parked.size === 0
    return isAlone && this.#options.clock.monotonic() - this.#usedAt >= sinceMs
  }

  #isAtRest(): boolean {
    const transaction = this.#transaction
    if (transaction !== undefined && (isOpen(transaction) || isPreparing(transaction))) return false
    return this.#queue.length === 0 && !this.#isWriting
  }

  /**
   * Answers with what the command is answered with, or with the code that refuses it: with CONCURRENT_TRANSACTIONS not before so
   * many milliseconds, for most clients wait longer until they ask again than it takes to tell everybody. Never rejects.
   */
  execute<R>(ask: Ask, patienceMs: number): Promise<R | ErrorCode> {
    const { clock, limits } = this.#options
    this.#usedAt = clock.monotonic()
    if (this.#isDropped) return Promise.resolve(ErrorCode.NOT_COORDINATOR)
    if (this.#queue.length + this.#patient.size >= limits.commandsQueuedMax) return Promise.resolve(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    const ticket = ++this.#lastTicket
    const answered = new Promise<R | ErrorCode>((resolve) => this.#parked.set(ticket, resolve as (answer: unknown) => void))
    this.#enqueue({ command: { ...ask, ticket } as Command, ticket, patientUntil: this.#usedAt + patienceMs })
    return answered
  }

  /** For what nobody waits for. */
  note(command: Extract<Command, { readonly kind: 'timeout' | 'told' | 'settle' | 'expire' }>): void {
    if (!this.#isDropped) this.#enqueue({ command, ticket: 0, patientUntil: 0 })
  }

  /** Refuses everybody who waits, and everybody who still comes. */
  drop(code: ErrorCode): void {
    if (this.#isDropped) return
    const isInMiddle = !this.#isAtRest()
    this.#isDropped = true
    this.#timer?.cancel()
    this.#queue = []
    for (const { timer } of this.#patient.values()) timer.cancel()
    this.#patient.clear()
    for (const ticket of [...this.#parked.keys()]) this.#answer(ticket, code)
    this.#options.hush(this.transactionalId)
    this.#options.onDropped(this, isInMiddle)
  }

  #enqueue(queued: Queued): void {
    this.#queue.push(queued)
    if (!this.#isWriting) this.#drain().catch((error: unknown) => this.#fail(error))
  }

  /** A defect in a decision: whoever asked is refused, and the id starts over from what is stored. */
  #fail(error: unknown): void {
    this.#isWriting = false
    this.#options.logger.error({ transactionalId: this.transactionalId, error }, 'a command of a transaction failed')
    this.drop(ErrorCode.UNKNOWN_SERVER_ERROR)
  }

  async #drain(): Promise<void> {
    this.#isWriting = true
    while (this.#queue.length > 0 && !this.#isDropped) {
      if (!await this.#fetchProducerId()) continue
      const batch = this.#decideBatch()
      const isWritten = batch.records.some(isDurable) && !this.#isKeptInMemory(batch)
      if (isWritten) {
        const { store, clock } = this.#options
        const result = await store.save(this.transactionalId, batch.draft, this.#claim, clock.now())
        if (this.#isDropped) return
        if (result.kind !== 'saved') {
          this.#refuse(batch.queued, result.kind)
          continue
        }
        this.#claim = result.claim
      }
      this.#become(batch, isWritten)
    }
    this.#isWriting = false
    this.#arm()
  }

  /** Never, but where a test takes the rule away. */
  #isKeptInMemory({ queued }: Batch): boolean {
    const isRemoved = (rule: TransactionRule) => this.#options.rules?.isRemoved(rule) === true
    const areAll = (kind: Command['kind']) => queued.every(({ command }) => command.kind === kind)
    return (isRemoved('a transaction is known before anything is written in it') && areAll('add')) ||
      (isRemoved('an end is decided before anybody is told') && areAll('end'))
  }

  /** False: those who wait for a decision that needs one were refused. */
  async #fetchProducerId(): Promise<boolean> {
    if (this.#producerIds.length > 0) return true
    const settings = this.#options.settings()
    if (!this.#queue.some(({ command }) => mayTakeProducerId(this.#transaction, command, settings))) return true
    try {
      this.#producerIds.push(await this.#options.newProducerId())
      return !this.#isDropped
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      this.#refuse(this.#queue.splice(0), 'away')
      return false
    }
  }

  /** Decides what waits, until it is enough for one write. */
  #decideBatch(): Batch {
    const { clock, limits, settings } = this.#options
    const now: Circumstances = { now: clock.now(), settings: settings(), takeProducerId: () => this.#producerIds.pop() }
    const queued = this.#queue.splice(0, limits.commandsPerWriteMax)
    const records: TransactionRecord[] = []
    const replies: Decision['replies'][number][] = []
    let draft = this.#transaction
    for (const { command } of queued) {
      const decision = decide(draft, command, now)
      draft = fold(draft, decision.records)
      records.push(...decision.records)
      replies.push(...decision.replies)
    }
    return { queued, draft, records, replies }
  }

  #become({ queued, draft, records, replies }: Batch, isWritten: boolean): void {
    const before = this.#transaction
    this.#transaction = draft
    if (isWritten) this.#isSettled = true
    else if (records.length > 0) this.#isSettled = false
    const isCertain = isWritten || this.#options.isCertain()
    for (const { ticket, response } of replies) {
      // What was written is true; who only looked may be looking at what another broker has changed.
      if (!isCertain) this.#answer(ticket, ErrorCode.COORDINATOR_NOT_AVAILABLE)
      else if (response !== ErrorCode.CONCURRENT_TRANSACTIONS || !this.#wait(ticket, queued)) this.#answer(ticket, response)
    }
    if (draft === undefined || !isPreparing(draft)) this.#waitNoLonger()
    else if (before !== undefined && isOpen(before) && queued.some(({ command }) => command.kind === 'timeout')) this.#options.onTimeout()
    this.#followUp(before)
  }

  /** False: it has waited for long enough. */
  #wait(ticket: Ticket, queued: readonly Queued[]): boolean {
    const { clock } = this.#options
    const patient = queued.find((one) => one.ticket === ticket)
    const waitMs = (patient?.patientUntil ?? 0) - clock.monotonic()
    if (patient === undefined || waitMs <= 0) return false
    const timer = clock.after(waitMs, () => {
      this.#patient.delete(ticket)
      this.#answer(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
    })
    this.#patient.set(ticket, { ...patient, timer })
    return true
  }

  #waitNoLonger(): void {
    for (const [ticket, { timer, ...queued }] of this.#patient) {
      timer.cancel()
      this.#patient.delete(ticket)
      this.#queue.push(queued)
    }
  }

  /** What has to happen because the transaction is what it is now. */
  #followUp(before: Transaction | undefined): void {
    const transaction = this.#transaction
    const { clock, tell } = this.#options
    if (transaction === undefined || !isOpen(transaction)) this.#deadline = undefined
    else if (this.#deadline?.startedAt !== transaction.startedAt || before === undefined || !isOpen(before)) {
      // Begun by this broker, it has all of its time; begun by another one, what is left of it by the clock on the wall.
      const { startedAt, timeoutMs } = transaction
      this.#deadline = { startedAt, at: clock.monotonic() + Math.min(Math.max(startedAt + timeoutMs - clock.now(), 0), timeoutMs) }
    }
    if (transaction === undefined || !isPreparing(transaction) || (before !== undefined && isPreparing(before))) return
    const { producerId, producerEpoch } = transaction
    tell({ transaction, coordinatorEpoch: this.#claim.coordinatorEpoch }, () => this.note({ kind: 'told', producerId, producerEpoch }))
  }

  #refuse(batch: readonly Queued[], kind: Exclude<SaveResult['kind'], 'saved'>): void {
    this.#options.logger.warn({ transactionalId: this.transactionalId, kind }, 'a change of a transaction was not stored')
    // Never success, and never a guess: what may have been written is read back before anybody is answered from it.
    if (kind === 'fenced') return this.drop(ErrorCode.NOT_COORDINATOR)
    if (kind === 'unknown') return this.drop(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    const code = kind === 'tooLarge' ? ErrorCode.UNKNOWN_SERVER_ERROR : ErrorCode.COORDINATOR_NOT_AVAILABLE
    this.#retryAt = this.#options.clock.monotonic() + this.#options.limits.retryMs
    for (const queued of batch) {
      this.#answer(queued.ticket, code)
      // What nobody asks again is kept: it changes memory alone, and waited for a write beside it.
      if (queued.command.kind === 'told') this.#queue.push(queued)
    }
  }

  #answer(ticket: Ticket, answer: unknown): void {
    const resolve = this.#parked.get(ticket)
    this.#parked.delete(ticket)
    resolve?.(answer)
  }

  /** One timer for whatever comes next: the end of an open transaction's time, or of the wait to write that one is complete. */
  #arm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#isDropped) return
    const { clock, limits } = this.#options
    const now = clock.monotonic()
    const after = (at: number, run: () => void) => {
      this.#timer = clock.after(Math.min(Math.max(at, this.#retryAt) - now, 2 ** 31 - 1), run)
    }
    const deadline = this.#deadline
    if (deadline !== undefined) {
      after(deadline.at, () => {
        if (this.#deadline !== deadline) return
        if (clock.monotonic() < deadline.at) return this.#arm()
        this.note({ kind: 'timeout', startedAt: deadline.startedAt })
      })
    } else if (!this.#isSettled) {
      after(this.#usedAt + limits.settleAfterMs, () => {
        if (clock.monotonic() < this.#usedAt + limits.settleAfterMs) return this.#arm()
        if (!this.#isSettled) this.note({ kind: 'settle' })
      })
    }
  }
}
