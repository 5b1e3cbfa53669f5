import type { ClassicGroup } from './classic/classic-group.ts'
import type { ConsumerGroup, ConsumerMember } from './consumer/consumer-group.ts'
import type { Circumstances, Touch } from './decision.ts'
import type { Group } from './group.ts'

/**
 * Until when each member must be heard of. Kept in memory alone: heartbeats are many, and after a restart everybody has
 * a whole session to come back.
 */
export class Sessions {
  /** Monotonic milliseconds by member id. */
  readonly #deadlines = new Map<string, number>()
  /**
   * Until when a member of a consumer group must have given up partitions, or, if it speaks the classic protocol, must
   * have joined again; and the epoch at which it was told.
   */
  readonly #revocations = new Map<string, { readonly epoch: number; readonly deadline: number }>()

  get size(): number {
    return this.#deadlines.size
  }

  touch(touched: readonly Touch[], monotonic: number): void {
    for (const { memberId, timeoutMs } of touched) this.#deadlines.set(memberId, monotonic + timeoutMs)
  }

  /** Forgets who is gone, and gives a session to who is new. */
  follow({ membership }: Group, now: Circumstances): void {
    for (const memberId of [...this.#deadlines.keys()]) if (!isKnown(membership, memberId)) this.#deadlines.delete(memberId)
    if (membership?.kind === 'consumer') this.#followConsumers(membership, now)
    else {
      this.#revocations.clear()
      if (membership !== undefined) this.#followClassic(membership, now)
    }
  }

  #followClassic({ members, pendingJoins }: ClassicGroup, { monotonic, settings }: Circumstances): void {
    for (const memberId of pendingJoins) {
      if (!this.#deadlines.has(memberId)) this.#deadlines.set(memberId, monotonic + settings.classicSessionTimeoutMsMin)
    }
    for (const { memberId, sessionTimeoutMs } of members.values()) {
      if (!this.#deadlines.has(memberId)) this.#deadlines.set(memberId, monotonic + sessionTimeoutMs)
    }
  }

  #followConsumers(group: ConsumerGroup, { monotonic, settings }: Circumstances): void {
    for (const memberId of [...this.#revocations.keys()]) if (!group.members.has(memberId)) this.#revocations.delete(memberId)
    for (const member of group.members.values()) {
      const { memberId, epoch, rebalanceTimeoutMs, classic } = member
      const sessionTimeoutMs = classic?.sessionTimeoutMs ?? settings.consumerSessionTimeoutMs
      if (!this.#deadlines.has(memberId)) this.#deadlines.set(memberId, monotonic + sessionTimeoutMs)
      if (!mustAct(member, group)) this.#revocations.delete(memberId)
      else if (this.#revocations.get(memberId)?.epoch !== epoch) {
        this.#revocations.set(memberId, { epoch, deadline: monotonic + rebalanceTimeoutMs })
      }
    }
  }

  dueAt(): number {
    let due = Infinity
    for (const deadline of this.#deadlines.values()) due = Math.min(due, deadline)
    for (const { deadline } of this.#revocations.values()) due = Math.min(due, deadline)
    return due
  }

  /**
   * Whose session is over, and who did not give up partitions in time. They are forgotten here: who is still a member
   * afterwards (because it waits for an answer of ours, or because nothing could be written) gets a new session.
   */
  takeDue(monotonic: number): { expired: string[]; overdue: string[] } {
    const expired = [...this.#deadlines].filter(([, deadline]) => deadline <= monotonic).map(([memberId]) => memberId)
    const overdue = [...this.#revocations].filter(([, { deadline }]) => deadline <= monotonic).map(([memberId]) => memberId)
    for (const memberId of expired) this.#deadlines.delete(memberId)
    for (const memberId of overdue) this.#revocations.delete(memberId)
    return { expired, overdue }
  }
}

function isKnown(membership: Group['membership'], memberId: string): boolean {
  if (membership === undefined) return false
  return membership.members.has(memberId) || (membership.kind === 'classic' && membership.pendingJoins.has(memberId))
}

function mustAct({ state, epoch, classic }: ConsumerMember, group: ConsumerGroup): boolean {
  return state.kind === 'unrevoked' || (classic !== undefined && epoch < group.epoch)
}
