import { strict as assert } from 'node:assert'
import { ErrorCode } from '../../protocol/error-code.ts'
import type { JoinGroupResponse } from '../../protocol/messages/join-group.ts'
import type { SyncGroupResponse } from '../../protocol/messages/sync-group.ts'
import type { Circumstances, Decision, Reply, Ticket, Touch } from '../decision.ts'
import {
  type ClassicGroup, type ClassicMember, emptyClassicGroup, hasJoined, noAssignment, type PendingSyncs, type Phase,
} from './classic-group.ts'
import { chooseProtocol } from './protocol-choice.ts'
import { subscribedTopics } from './subscribed-topics.ts'

/** A classic group while one command is being decided: a copy that may change, and the answers that come of it. */
export class ClassicChange {
  readonly now: Circumstances
  readonly members: Map<string, ClassicMember>
  readonly statics: Map<string, string>
  readonly pendingJoins: Set<string>
  readonly replies: Reply[] = []
  readonly touched: Touch[] = []
  phase: Phase
  generation: number
  protocolType: string | undefined
  protocol: string | undefined
  leader: string | undefined
  /** Set where what changed must outlive this process. */
  isDurable = false
  #topics: ReadonlySet<string> | undefined
  #changedAt: number

  constructor(group: ClassicGroup = emptyClassicGroup, now: Circumstances) {
    this.now = now
    this.members = new Map(group.members)
    this.statics = new Map(group.statics)
    this.pendingJoins = new Set(group.pendingJoins)
    this.phase = group.phase
    this.generation = group.generation
    this.protocolType = group.protocolType
    this.protocol = group.protocol
    this.leader = group.leader
    this.#topics = group.topics
    this.#changedAt = group.changedAt
  }

  get state(): Phase['state'] {
    return this.phase.state
  }

  get haveAllJoined(): boolean {
    return this.pendingJoins.size === 0 && [...this.members.values()].every(hasJoined)
  }

  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map((member) => member.rebalanceTimeoutMs))
  }

  get pendingSyncs(): PendingSyncs | undefined {
    return this.phase.state === 'Stable' || this.phase.state === 'CompletingRebalance' ? this.phase.syncs : undefined
  }

  enter(phase: Phase): void {
    this.phase = phase
    this.#changedAt = this.now.now
  }

  reply(ticket: Ticket, response: JoinGroupResponse | SyncGroupResponse | object): void {
    this.replies.push({ ticket, response })
  }

  touch(memberId: string, timeoutMs: number): void {
    this.touched.push({ memberId, timeoutMs })
  }

  put(member: ClassicMember): void {
    this.members.set(member.memberId, member)
    if (member.instanceId !== undefined) this.statics.set(member.instanceId, member.memberId)
    this.pendingJoins.delete(member.memberId)
    this.leader ??= member.memberId
  }

  /** Whoever waits in the member's name is answered with UNKNOWN_MEMBER_ID. */
  remove(memberId: string): void {
    const member = this.members.get(memberId)
    if (member !== undefined) {
      if (member.waiting?.for === 'join') this.reply(member.waiting.ticket, joinRefused('', ErrorCode.UNKNOWN_MEMBER_ID))
      if (member.waiting?.for === 'sync') this.reply(member.waiting.ticket, syncRefused(ErrorCode.UNKNOWN_MEMBER_ID))
      this.members.delete(memberId)
      if (member.instanceId !== undefined) this.statics.delete(member.instanceId)
    }
    if (this.leader === memberId) this.leader = this.members.keys().next().value
    this.pendingJoins.delete(memberId)
    this.synced(memberId)
  }

  /** The member asked for its assignment, or will not any more. */
  synced(memberId: string): void {
    const { phase } = this
    if ((phase.state !== 'Stable' && phase.state !== 'CompletingRebalance') || phase.syncs === undefined) return
    const members = new Set(phase.syncs.members)
    members.delete(memberId)
    this.phase = { ...phase, syncs: members.size === 0 ? undefined : { members, deadline: phase.syncs.deadline } }
  }

  /** Chooses the protocol; a group without members becomes empty, which is durable. */
  beginGeneration(): void {
    this.generation += 1
    if (this.members.size === 0) {
      this.protocol = undefined
      this.leader = undefined
      this.enter({ state: 'Empty' })
      this.isDurable = true
    } else {
      this.protocol = chooseProtocol(this.members)
      assert(this.protocol !== undefined, 'only members with a protocol in common are let in')
      const deadline = this.now.monotonic + this.rebalanceTimeoutMs
      this.enter({ state: 'CompletingRebalance', syncs: { members: new Set(this.members.keys()), deadline } })
    }
    this.#topics = subscribedTopics(this)
  }

  group(): ClassicGroup {
    const { phase, generation, protocolType, protocol, leader, members, statics, pendingJoins } = this
    return {
      kind: 'classic', phase, generation, protocolType, protocol, leader, members, statics, pendingJoins,
      topics: this.#topics, changedAt: this.#changedAt,
    }
  }

  decision(): Decision {
    return {
      records: [{ type: 'classic', group: this.group(), isDurable: this.isDurable }],
      replies: this.replies,
      touched: this.touched,
    }
  }
}

export function joinRefused(memberId: string, errorCode: number): JoinGroupResponse {
  return { errorCode, generationId: -1, protocolType: null, protocolName: null, leader: '', memberId, members: [] }
}

export function syncRefused(errorCode: number): SyncGroupResponse {
  return { errorCode, assignment: noAssignment }
}
