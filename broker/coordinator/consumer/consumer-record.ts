import type { Assignment } from './assignment.ts'
import type { ConsumerMember } from './consumer-group.ts'

/** What can happen to a consumer group. All of it is durable. */
export type ConsumerRecord = EpochRecord | TargetRecord | MemberRecord | MemberGone

/** Something about the group's subscriptions changed: a new assignment has to be found. */
export interface EpochRecord {
  readonly type: 'consumerEpoch'
  readonly epoch: number
  /** Of the subscribed topics and how many partitions they have. */
  readonly topicsHash: string
  /** Names of all topics that somebody subscribes to. Derived, so it is not stored. */
  readonly subscribed: ReadonlySet<string>
}

/** The assignment that was found for an epoch, for all members. */
export interface TargetRecord {
  readonly type: 'consumerTarget'
  readonly assignmentEpoch: number
  readonly targets: ReadonlyMap<string, Assignment>
}

export interface MemberRecord {
  readonly type: 'consumerMember'
  readonly member: ConsumerMember
}

export interface MemberGone {
  readonly type: 'consumerMemberGone'
  readonly memberId: string
}
