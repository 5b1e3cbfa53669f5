// A consumer group (KIP-848): the coordinator assigns, and each member moves towards its target on its own.
//
//   group epoch       grows when subscriptions or topics change
//   assignment epoch  the group epoch that the targets were computed for
//   member epoch      the assignment epoch that the member has reached
//
//          Stable ──a newer target takes partitions away──▶ Unrevoked ──the member has given them up──┐
//            ▲  ◀─────────────────────────────────────────────────────────────────────────────────────┤
//            └── all partitions of the target are free ── Unreleased ◀──others still hold some of them┘

import type { ClassicGroup, Protocol } from '../classic/classic-group.ts'
import { type Assignment, emptyAssignment } from './assignment.ts'
import type { ConsumerRecord } from './consumer-record.ts'

export interface ConsumerGroup {
  readonly kind: 'consumer'
  readonly epoch: number
  readonly assignmentEpoch: number
  readonly topicsHash: string
  readonly subscribed: ReadonlySet<string>
  readonly members: ReadonlyMap<string, ConsumerMember>
  /** Member ids by group.instance.id. */
  readonly statics: ReadonlyMap<string, string>
  /** By member id; a member may be without one. */
  readonly targets: ReadonlyMap<string, Assignment>
}

export interface ConsumerMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly rackId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  /** Ascending. */
  readonly topicNames: readonly string[]
  /** RE2 syntax; undefined: subscribes by names alone. */
  readonly topicRegex: string | undefined
  readonly assignor: string | undefined
  /** -2: a static member that is away for a while. */
  readonly epoch: number
  readonly previousEpoch: number
  /** What the member may consume. */
  readonly assigned: Assignment
  readonly state: MemberState
  /** It speaks the classic protocol: the group is being migrated (migration/). */
  readonly classic: ClassicFacts | undefined
}

/** What a member that joins by JoinGroup says beside its subscription. */
export interface ClassicFacts {
  readonly sessionTimeoutMs: number
  readonly protocols: readonly Protocol[]
}

export type MemberState =
  | { readonly kind: 'stable' }
  /** Has still to give up `revoking`, which nobody else may get before. */
  | { readonly kind: 'unrevoked'; readonly revoking: Assignment }
  /** Waits for partitions that others have still to give up. */
  | { readonly kind: 'unreleased' }

export const emptyConsumerGroup: ConsumerGroup = {
  kind: 'consumer',
  // As in Kafka: 0 is how members say that they join, and the first subscription raises the epoch to 2.
  epoch: 1,
  assignmentEpoch: 0,
  topicsHash: '',
  subscribed: new Set(),
  members: new Map(),
  statics: new Map(),
  targets: new Map(),
}

export const stable: MemberState = { kind: 'stable' }

export function revokingOf({ state }: ConsumerMember): Assignment {
  return state.kind === 'unrevoked' ? state.revoking : emptyAssignment
}

export function foldConsumer(before: ConsumerGroup | ClassicGroup | undefined, records: readonly ConsumerRecord[]): ConsumerGroup {
  const group = before?.kind === 'consumer' ? before : emptyConsumerGroup
  const members = new Map(group.members)
  const statics = new Map(group.statics)
  let { epoch, assignmentEpoch, topicsHash, subscribed, targets } = group
  for (const record of records) {
    switch (record.type) {
      case 'consumerEpoch':
        ({ epoch, topicsHash, subscribed } = record)
        break
      case 'consumerTarget':
        ({ assignmentEpoch, targets } = record)
        break
      case 'consumerMember': {
        const { memberId, instanceId } = record.member
        members.set(memberId, record.member)
        if (instanceId !== undefined) statics.set(instanceId, memberId)
        break
      }
      case 'consumerMemberGone': {
        const instanceId = members.get(record.memberId)?.instanceId
        members.delete(record.memberId)
        if (instanceId !== undefined && statics.get(instanceId) === record.memberId) statics.delete(instanceId)
        if (targets.has(record.memberId)) targets = new Map([...targets].filter(([memberId]) => memberId !== record.memberId))
      }
    }
  }
  return { kind: 'consumer', epoch, assignmentEpoch, topicsHash, subscribed, members, statics, targets }
}

export type ConsumerState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

export function stateOf(group: ConsumerGroup): ConsumerState {
  if (group.members.size === 0) return 'Empty'
  if (group.epoch > group.assignmentEpoch) return 'Assigning'
  for (const { state, epoch } of group.members.values()) {
    if (state.kind !== 'stable' || epoch !== group.assignmentEpoch) return 'Reconciling'
  }
  return 'Stable'
}
