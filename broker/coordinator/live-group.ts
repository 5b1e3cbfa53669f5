// A group in memory: its commands, one batch after the other.
//
//   execute ─▶ queue ─▶ decide on a draft ─▶ fold ─▶ save (table) ─▶ the draft becomes the group ─▶ replies
//                            └── next command of the batch ──┘
//
// Commands that arrive while a batch is being written are decided together afterwards, and written together. Nothing
// is answered, and nobody sees the draft, before it is in the table. What changes nothing durable is not written at all.

import type { Rules } from '../runtime/rules.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { classicDueAt } from './classic/classic-group.ts'
import { type Command, decide } from './command.ts'
import type { Circumstances, Decision, Reply, Ticket, Touch } from './decision.ts'
import { fold, type Group, type GroupRecord, isDurable } from './group.ts'
import type { GroupLimits, GroupSettings } from './group-settings.ts'
import type { GroupStore, SaveResult, Stored } from './group-store.ts'
import { Sessions } from './sessions.ts'
import type { Topics } from './topics.ts'

export interface LiveGroupOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: GroupStore
  readonly topics: Topics
  readonly settings: (groupId: string) => GroupSettings
  readonly rules?: Rules | undefined
  readonly limits: GroupLimits
  /** This group must be loaded again before anybody asks it anything. */
  readonly onDropped: (group: LiveGroup) => void
}

type WithoutTicket<C> = C extends { readonly ticket: Ticket } ? Omit<C, 'ticket'> : C
/** A command before it has a ticket. */
export type Ask = WithoutTicket<Command>

interface Queued {
  readonly command: Command
  readonly ticket: Ticket
}

export class LiveGroup {
  readonly #options: LiveGroupOptions
  readonly #parked = new Map<Ticket, (answer: unknown) => void>()
  readonly #sessions = new Sessions()
  #queue: Queued[] = []
  #group: Group
  #stored: Stored
  #lastTicket = 0
  #isWriting = false
  #isDropped = false
  #timer: Timer | undefined
  #usedAt: number
  #retryAt = 0
  /** When the timer fires, in monotonic milliseconds. */
  #armedFor = Infinity

  constructor(loaded: { readonly group: Group; readonly stored: Stored }, options: LiveGroupOptions) {
    this.#options = options
    this.#group = loaded.group
    this.#stored = loaded.stored
    this.#usedAt = options.clock.monotonic()
    // Who was a member when the group was last written has one session to show that it still is.
    this.#sessions.follow(this.#group, this.#circumstances())
    this.#arm()
  }

  /** As it is in the table, and what is in memory beside it. */
  get group(): Group {
    return this.#group
  }

  /** No members, no requests, nothing to do: may be dropped and loaded again when needed. */
  isIdle(sinceMs: number): boolean {
    const isAlone = this.#sessions.size === 0 && this.#queue.length === 0 && this.#parked.size === 0 && !this.#isWriting
    return isAlone && this.#options.clock.monotonic() - this.#usedAt >= sinceMs
  }

  /** Answers with a response, or with the code that refuses the request. Never rejects but for a defect. */
  execute<R>(ask: Ask): Promise<R | ErrorCode> {
    this.#usedAt = this.#options.clock.monotonic()
    if (this.#isDropped) return Promise.resolve(ErrorCode.NOT_COORDINATOR)
    if (this.#queue.length >= this.#options.limits.commandsQueuedMax) return Promise.resolve(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    const ticket = ++this.#lastTicket
    const answered = new Promise<R | ErrorCode>((resolve) => this.#parked.set(ticket, resolve as (answer: unknown) => void))
    const command = { ...ask, ticket } as Command
    // A heartbeat that changes nothing waits neither for the table nor for its turn.
    const decision = mayChangeNothing(command) ? decide(this.#group, command, this.#circumstances()) : undefined
    if (decision === undefined || decision.records.length > 0) this.#enqueue(command, ticket)
    else this.#settle(decision)
    return answered
  }

  /** For what nobody waits for. */
  tell(command: Extract<Command, { readonly kind: 'timeouts' | 'expireOffsets' | 'forgetTopics' }>): void {
    if (!this.#isDropped) this.#enqueue(command, 0)
  }

  /** Refuses everybody who waits, and everybody who still comes. */
  drop(code: ErrorCode): void {
    if (this.#isDropped) return
    this.#isDropped = true
    this.#timer?.cancel()
    this.#queue = []
    for (const ticket of [...this.#parked.keys()]) this.#answer(ticket, code)
    this.#options.onDropped(this)
  }

  #enqueue(command: Command, ticket: Ticket): void {
    this.#queue.push({ command, ticket })
    if (!this.#isWriting) this.#drain().catch((error: unknown) => this.#fail(error))
  }

  /** A defect in a decision: whoever asked is refused, and the group starts over from what is stored. */
  #fail(error: unknown): void {
    this.#isWriting = false
    this.#options.logger.error({ groupId: this.#group.groupId, error }, 'a group command failed')
    this.drop(ErrorCode.UNKNOWN_SERVER_ERROR)
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isDropped) {
      const decided = this.#decideBatch()
      const { batch, draft, records } = decided
      const change = { before: this.#group, after: draft, records, now: this.#options.clock.now() }
      const step = records.some(isDurable) ? 'save' : batch.some(({ command }) => asksTheTable(command)) ? 'confirm' : 'none'
      if (step !== 'none') {
        this.#isWriting = true
        const result = step === 'save' ? await this.#options.store.save(change, this.#stored) : await this.#confirm(batch, draft)
        this.#isWriting = false
        if (this.#isDropped) return
        if (result.kind !== 'saved') {
          this.#refuse(batch, result.kind)
          continue
        }
        this.#stored = result.stored
      }
      this.#group = draft
      this.#settle(decided)
      this.#sessions.follow(draft, this.#circumstances())
    }
    this.#arm()
  }

  #confirm(batch: readonly Queued[], { groupId, membership }: Group): Promise<SaveResult> {
    const { store, clock } = this.#options
    const isEnded = batch.some(({ command }) => command.kind === 'endTransaction')
    if (isEnded && membership === undefined) return store.confirmAbsent(groupId, this.#stored, clock.now())
    return store.confirm(groupId, this.#stored)
  }

  /** Decides what waits, until it is enough for one write or others should have a turn. */
  #decideBatch(): Decision & { readonly batch: readonly Queued[]; readonly draft: Group } {
    const { clock, limits } = this.#options
    const now = this.#circumstances()
    const batch: Queued[] = []
    const records: GroupRecord[] = []
    const replies: Reply[] = []
    const touched: Touch[] = []
    let draft = this.#group
    while (this.#queue.length > 0 && batch.length < limits.commandsPerWriteMax) {
      if (batch.length > 0 && clock.monotonic() - now.monotonic >= limits.decideMsMax) break
      const queued = this.#queue.shift()!
      batch.push(queued)
      const { command } = queued
      const timely = command.kind === 'timeouts' ? { ...command, ...this.#sessions.takeDue(now.monotonic) } : command
      const decision = decide(draft, timely, now)
      draft = fold(draft, decision.records)
      records.push(...decision.records)
      replies.push(...decision.replies)
      touched.push(...decision.touched)
    }
    return { batch, draft, records, replies, touched }
  }

  #settle({ replies, touched }: Pick<Decision, 'replies' | 'touched'>): void {
    const monotonic = this.#options.clock.monotonic()
    this.#sessions.touch(touched, monotonic)
    for (const { ticket, response } of replies) this.#answer(ticket, response)
    // Sessions mostly move later, and then the timer is early, which does no harm.
    if (touched.some(({ timeoutMs }) => monotonic + timeoutMs < this.#armedFor)) this.#arm()
  }

  #refuse(batch: readonly Queued[], kind: Exclude<SaveResult['kind'], 'saved'>): void {
    const { groupId } = this.#group
    this.#options.logger.warn({ groupId, kind }, 'a change of a group was not stored')
    // Never success, and never a guess: what may have been written is read back before anybody is answered from it.
    if (kind === 'fenced') return this.drop(ErrorCode.NOT_COORDINATOR)
    if (kind === 'unknown') return this.drop(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    const code = kind === 'tooLarge' ? ErrorCode.UNKNOWN_SERVER_ERROR : ErrorCode.COORDINATOR_NOT_AVAILABLE
    for (const { ticket } of batch) this.#answer(ticket, code)
    this.#sessions.follow(this.#group, this.#circumstances())
    this.#retryAt = this.#options.clock.monotonic() + this.#options.limits.retryMs
  }

  #answer(ticket: Ticket, answer: unknown): void {
    const resolve = this.#parked.get(ticket)
    this.#parked.delete(ticket)
    resolve?.(answer)
  }

  #circumstances(): Circumstances {
    const { clock, settings, topics, rules } = this.#options
    return { now: clock.now(), monotonic: clock.monotonic(), settings: settings(this.#group.groupId), topics, rules }
  }

  /** One timer for all sessions and deadlines. */
  #arm(): void {
    if (this.#isDropped) return
    this.#timer?.cancel()
    const { membership } = this.#group
    const due = Math.min(this.#sessions.dueAt(), membership?.kind === 'classic' ? classicDueAt(membership) : Infinity)
    const { clock } = this.#options
    const now = clock.monotonic()
    this.#armedFor = due === Infinity ? Infinity : Math.max(due, this.#retryAt, now)
    if (this.#armedFor === Infinity) return
    this.#timer = clock.after(Math.min(this.#armedFor - now, 2 ** 31 - 1), () => {
      this.#armedFor = Infinity
      this.tell({ kind: 'timeouts', expired: [], overdue: [] })
    })
  }
}

/** Whether its answer says something even where nothing is written: that of a coordinator that was deposed would be a guess. */
function asksTheTable({ kind }: Command): boolean {
  return kind === 'confirm' || kind === 'endTransaction'
}

function mayChangeNothing(command: Command): boolean {
  return command.kind === 'heartbeat' || (command.kind === 'consumerHeartbeat' && command.request.memberEpoch > 0)
}
