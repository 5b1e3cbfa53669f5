// One term of leadership: what was appended in it is answered by it, or fails with it. A broker that leads again does so
// in another term, and nothing that waits is carried over (R9, R10).

import { inSyncFloor } from '../cluster/image.ts'
import { allRules, type Rules } from '../runtime/rules.ts'
import type { Appended } from '../log/partition-log.ts'
import { failed } from '../log/pending-appends.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { Clock } from '../runtime/clock.ts'
import { CommitWaits } from './commit-waits.ts'
import {
  adopt, highWatermarkOf, isCutOff, type LeaderState, loseProposal, observeFetch, planSync, type Proposal, propose, refuseProposal,
} from './leader-state.ts'

/** What a term looks at of its surroundings, as it is now. */
export interface TermSurroundings {
  readonly clock: Clock
  /** `min.insync.replicas` of a topic. */
  minIsr(topicName: string): number
  /** `replica.lag.time.max.ms`. */
  lagMsMax(): number
  /** Whether a broker serves, as far as the metadata says. */
  isAlive(brokerId: number): boolean
  /** Whether this broker's session holds: nobody else can have been elected because of its silence. */
  hasSession(): boolean
  readonly rules?: Rules
}

export interface LeaderTermOptions {
  readonly start: LeaderState
  readonly topicName: string
  readonly around: TermSurroundings
  /** Exclusive end of what the log holds durably. */
  durableEndOffset(): number
  /** More is committed than before. */
  onCommitted(highWatermark: number): void
  /** There is something to be changed about who is in sync. */
  onOutOfSync(): void
}

export interface FollowerFetch {
  readonly brokerId: number
  readonly brokerEpoch: number
  readonly offset: number
}

export class LeaderTerm {
  readonly #options: LeaderTermOptions
  readonly #waits: CommitWaits
  #state: LeaderState
  #isOver = false

  constructor(options: LeaderTermOptions) {
    this.#options = options
    this.#state = options.start
    this.#waits = new CommitWaits(options.around.clock)
    this.#advance()
  }

  get state(): LeaderState {
    return this.#state
  }

  get leaderEpoch(): number {
    return this.#state.leaderEpoch
  }

  get highWatermark(): number {
    return this.#state.highWatermark
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether everything from before this term is committed: until then a client may know of more than we can show (KIP-207). */
  get isSettled(): boolean {
    return this.#state.highWatermark >= this.#state.epochStartOffset
  }

  /** Whether what this broker says without asking anybody can be relied on. The only replica needs nobody's word. */
  get mayAnswerAlone(): boolean {
    return this.#state.replicas.length === 1 || this.#options.around.hasSession()
  }

  /** Why nothing is appended now; NONE where it is. */
  refusal(acks: number): ErrorCode {
    if (this.#isOver) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (acks !== -1) return this.mayAnswerAlone ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER
    const { around, topicName } = this.#options
    const { isr, brokerId } = this.#state
    const serving = isr.filter((id) => id === brokerId || around.isAlive(id)).length
    return serving < inSyncFloor(this.#state, around.minIsr(topicName)) ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE
  }

  /** The answer to what was appended: at once for acks 0 and 1, for -1 once it is committed, at most after `timeoutMs`. */
  acknowledge(
    appended: Appended, { acks, timeoutMs }: { readonly acks: number; readonly timeoutMs: number },
  ): Appended | Promise<Appended> {
    if (this.#isOver) return failed(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'another broker leads by now')
    if (acks !== -1) {
      return this.mayAnswerAlone ? appended : failed(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'the session is over, and another broker may lead')
    }
    return appended.endOffset <= this.#state.highWatermark ? appended : this.#waits.add(appended, timeoutMs)
  }

  /** The log holds more durably. */
  written(): void {
    this.#advance()
  }

  /** A follower has fetched in this epoch from an offset up to which its log and ours agree. */
  fetched({ brokerId, brokerEpoch, offset }: FollowerFetch): void {
    const { around, durableEndOffset } = this.#options
    const endOffset = durableEndOffset()
    const now = around.clock.monotonic()
    this.#state = observeFetch(this.#state, { brokerId, brokerEpoch, fetchOffset: offset, endOffset, now })
    this.#advance()
    if (this.#state.proposal === undefined && !this.#state.isr.includes(brokerId)) this.look()
  }

  /** Asks for a change of the in-sync replicas where one is due. To be called now and then: silence brings no event. */
  look(): void {
    if (this.plan() !== undefined) this.#options.onOutOfSync()
  }

  /** Milliseconds since it began. */
  get ageMs(): number {
    return this.#options.around.clock.monotonic() - this.#state.beganAt
  }

  /** Whether too few followers have fetched for so long: whoever they can reach would lead better. */
  isCutOff(silenceMsMax: number): boolean {
    const { around, topicName } = this.#options
    return !this.#isOver && isCutOff(this.#state, { now: around.clock.monotonic(), minIsr: around.minIsr(topicName), silenceMsMax })
  }

  /** Who should be in sync, where that is to be changed now. */
  plan(): Proposal | undefined {
    if (this.#isOver) return undefined
    const { around } = this.#options
    return planSync(this.#state, {
      ...this.#commitRules(), now: around.clock.monotonic(), lagMsMax: around.lagMsMax(), isAlive: (brokerId) => around.isAlive(brokerId),
    })
  }

  propose(proposal: Proposal): void {
    this.#state = propose(this.#state, proposal)
    this.#advance()
  }

  loseProposal(): void {
    this.#state = loseProposal(this.#state)
  }

  refuseProposal(of: { readonly wasUnknown: boolean }): void {
    this.#state = refuseProposal(this.#state, of)
    this.#advance()
  }

  /** The metadata log has a newer state of the partition, in this term. */
  adopt(partition: Parameters<typeof adopt>[1]): void {
    this.#state = adopt(this.#state, partition)
    this.#advance()
  }

  /** Fails what waits, first of all: what comes after may cut it off (R10). */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waits.failAll(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'another broker leads by now')
  }

  #commitRules() {
    const { around, durableEndOffset, topicName } = this.#options
    return { endOffset: durableEndOffset(), minIsr: around.minIsr(topicName), rules: around.rules ?? allRules }
  }

  #advance(): void {
    if (this.#isOver) return
    const highWatermark = highWatermarkOf(this.#state, this.#commitRules())
    if (highWatermark === this.#state.highWatermark) return
    this.#state = { ...this.#state, highWatermark }
    this.#waits.answerBelow(highWatermark)
    this.#options.onCommitted(highWatermark)
  }
}
