// A classic group: members join, one of them (the leader) assigns, everybody syncs.
//
//   Empty ──join──▶ PreparingRebalance ──all have joined, or time is up──▶ CompletingRebalance
//     ▲                 ▲     │                                               │
//     │                 │     └──nobody is left──▶ Empty                      │ the leader syncs
//     │                 └──── a member joins, leaves or falls silent ────┐    ▼
//     └──── (through PreparingRebalance) ───────────────────────────── Stable
//
// There is no Dead here: a group that is gone has no membership at all.

import type { Ticket } from '../decision.ts'

export interface ClassicGroup {
  readonly kind: 'classic'
  readonly phase: Phase
  readonly generation: number
  /** Undefined before the first member joined; a group of offsets alone never gets one. */
  readonly protocolType: string | undefined
  readonly protocol: string | undefined
  readonly leader: string | undefined
  readonly members: ReadonlyMap<string, ClassicMember>
  /** Member ids by group.instance.id (KIP-345). */
  readonly statics: ReadonlyMap<string, string>
  /** Ids that were given out and did not come back yet (KIP-394). */
  readonly pendingJoins: ReadonlySet<string>
  /** What the members of this generation subscribe to; undefined where we cannot tell. */
  readonly topics: ReadonlySet<string> | undefined
  /** When the phase began; wall clock, milliseconds. */
  readonly changedAt: number
}

/** Deadlines are monotonic milliseconds. */
export type Phase =
  | { readonly state: 'Empty' }
  | { readonly state: 'PreparingRebalance'; readonly deadline: number; readonly initial: InitialDelay | undefined }
  | { readonly state: 'CompletingRebalance'; readonly syncs: PendingSyncs | undefined }
  | { readonly state: 'Stable'; readonly syncs: PendingSyncs | undefined }

/** A group that was empty waits a little for more members, and longer while they keep coming. */
export interface InitialDelay {
  readonly delayMs: number
  readonly remainingMs: number
  readonly hasNewMember: boolean
}

/** Who is still to ask for its assignment, and until when. */
export interface PendingSyncs {
  readonly members: ReadonlySet<string>
  readonly deadline: number
}

export interface ClassicMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  /** What it can do, in its order of preference. */
  readonly protocols: readonly Protocol[]
  readonly assignment: Buffer
  readonly waiting: Waiting | undefined
  /** Not seen in a generation yet: may expire even while it waits. */
  readonly isNew: boolean
}

export interface Protocol {
  readonly name: string
  readonly metadata: Buffer
}

export type Waiting = { readonly for: 'join' | 'sync'; readonly ticket: Ticket }

export const noAssignment = Buffer.alloc(0)

export const emptyClassicGroup: ClassicGroup = {
  kind: 'classic',
  phase: { state: 'Empty' },
  generation: 0,
  protocolType: undefined,
  protocol: undefined,
  leader: undefined,
  members: new Map(),
  statics: new Map(),
  pendingJoins: new Set(),
  topics: undefined,
  changedAt: 0,
}

export const consumerProtocolType = 'consumer'

/** When the group has to be looked at next, apart from sessions; monotonic milliseconds. */
export function classicDueAt({ phase }: ClassicGroup): number {
  if (phase.state === 'Empty') return Infinity
  if (phase.state === 'PreparingRebalance') return phase.deadline
  return phase.syncs?.deadline ?? Infinity
}

export function hasJoined(member: ClassicMember): boolean {
  return member.waiting?.for === 'join'
}

export function metadataOf(member: ClassicMember, protocol: string | undefined): Buffer {
  return member.protocols.find(({ name }) => name === protocol)?.metadata ?? noAssignment
}
