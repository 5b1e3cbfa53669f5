import { ErrorCode } from '../../protocol/error-code.ts'
import type { ConsumerGroupHeartbeatResponse } from '../../protocol/messages/consumer-group-heartbeat.ts'
import { type Circumstances, type Decision, replyOnly } from '../decision.ts'
import { planDowngrade } from '../migration/downgrade.ts'
import { ConsumerChange } from './consumer-change.ts'
import { type ConsumerGroup, type ConsumerMember, emptyConsumerGroup, stable } from './consumer-group.ts'
import type { ConsumerHeartbeat } from './heartbeat.ts'
import { memberEpoch, refused } from './heartbeat-request.ts'
import { problemWithHolder, staticMember, unknownMember } from './member-identity.ts'

/** A member leaves: for good, or, a static one, for at most a session, during which its partitions stay its own. */
export function decideLeaving(
  group: ConsumerGroup = emptyConsumerGroup, { request, ticket }: ConsumerHeartbeat, now: Circumstances,
): Decision {
  const { memberId, instanceId, memberEpoch: epoch } = request
  const member = instanceId === null ? group.members.get(memberId) : staticMember(group, instanceId)
  const problem = instanceId === null ? undefined : problemWithHolder(member, { memberId, instanceId })
  if (problem !== undefined || member === undefined) return replyOnly(ticket, refused(problem ?? unknownMember(memberId)))
  const response: ConsumerGroupHeartbeatResponse = { errorCode: ErrorCode.NONE, memberId, memberEpoch: epoch, heartbeatIntervalMs: 0 }
  const records = epoch === memberEpoch.leavingForAWhile ? absence(member) : removal(group, [member.memberId], now)
  return { records, replies: [{ ticket, response }], touched: [] }
}

function absence(member: ConsumerMember): Decision['records'] {
  const { leavingForAWhile } = memberEpoch
  return [{ type: 'consumerMember', member: { ...member, epoch: leavingForAWhile, previousEpoch: member.epoch, state: stable } }]
}

/**
 * Members are gone, by themselves or by force: the others get a new epoch, and with it what these had. Where only
 * members of the classic protocol are left, the group goes back to that.
 */
export function removal(group: ConsumerGroup, memberIds: readonly string[], now: Circumstances): Decision['records'] {
  const change = new ConsumerChange(group, now.topics)
  change.add(...memberIds.map((memberId) => ({ type: 'consumerMemberGone' as const, memberId })))
  const downgrade = planDowngrade(change.group, now)
  if (downgrade !== undefined) return downgrade
  change.raiseEpoch()
  return change.records
}
