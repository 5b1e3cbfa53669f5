import { ErrorCode } from '../../protocol/error-code.ts'
import type { ConsumerGroupHeartbeatRequest } from '../../protocol/messages/consumer-group-heartbeat.ts'
import { type Assignment, emptyAssignment, minus } from './assignment.ts'
import type { ConsumerChange } from './consumer-change.ts'
import type { ConsumerGroup, ConsumerMember } from './consumer-group.ts'
import { stable } from './consumer-group.ts'
import { memberEpoch, type Refusal, refusal } from './heartbeat-request.ts'
import { newMember } from './new-member.ts'

export interface Claim {
  readonly request: ConsumerGroupHeartbeatRequest
  readonly owned: Assignment | undefined
}

/** The member that sends this, perhaps a new one; or why it is none. */
export function findMember(change: ConsumerChange, claim: Claim): ConsumerMember | Refusal {
  return claim.request.instanceId === null ? findDynamic(change.group, claim) : findStatic(change, claim)
}

function findDynamic({ members }: ConsumerGroup, { request, owned }: Claim): ConsumerMember | Refusal {
  const member = members.get(request.memberId)
  if (member !== undefined) return problemWithEpoch(member, { request, owned }) ?? member
  return request.memberEpoch === memberEpoch.joining ? newMember(request.memberId) : unknownMember(request.memberId)
}

function findStatic(change: ConsumerChange, claim: Claim): ConsumerMember | Refusal {
  const { memberId, instanceId, memberEpoch: epoch } = claim.request
  const holder = staticMember(change.group, instanceId!)
  if (epoch !== memberEpoch.joining) {
    const problem = problemWithHolder(holder, { memberId, instanceId: instanceId! })
    return problem ?? problemWithEpoch(holder!, claim) ?? holder!
  }
  if (holder === undefined) return newMember(memberId)
  if (holder.epoch !== memberEpoch.leavingForAWhile) {
    // Its answer may have been lost; or two processes were started with one instance id.
    return refusal(ErrorCode.UNRELEASED_INSTANCE_ID, `the instance id ${instanceId} is in use by the member ${holder.memberId}`)
  }
  return takePlace(change, { holder, memberId })
}

/** A static member is back: what it had, and was to have, is its again. */
export function takePlace(
  change: ConsumerChange, { holder, memberId }: { readonly holder: ConsumerMember; readonly memberId: string },
): ConsumerMember {
  const { targets, assignmentEpoch } = change.group
  const target = targets.get(holder.memberId) ?? emptyAssignment
  const member: ConsumerMember = { ...holder, memberId, epoch: 0, previousEpoch: 0, state: stable }
  change.add({ type: 'consumerMemberGone', memberId: holder.memberId }, { type: 'consumerMember', member })
  change.add({ type: 'consumerTarget', assignmentEpoch, targets: new Map([...change.group.targets, [memberId, target]]) })
  return member
}

export function staticMember({ members, statics }: ConsumerGroup, instanceId: string): ConsumerMember | undefined {
  const memberId = statics.get(instanceId)
  return memberId === undefined ? undefined : members.get(memberId)
}

/** Is the instance id this member's? */
export function problemWithHolder(
  holder: ConsumerMember | undefined, { memberId, instanceId }: { readonly memberId: string; readonly instanceId: string },
): Refusal | undefined {
  if (holder === undefined) return refusal(ErrorCode.UNKNOWN_MEMBER_ID, `the instance id ${instanceId} is unknown`)
  if (holder.memberId === memberId) return undefined
  return refusal(ErrorCode.FENCED_INSTANCE_ID, `the instance id ${instanceId} belongs to the member ${holder.memberId} now`)
}

/**
 * The member must be at the epoch that we know it at. One that is an epoch behind and owns nothing that it should not
 * has merely lost our answer; one that joins again owns nothing at all.
 */
function problemWithEpoch(member: ConsumerMember, { request, owned }: Claim): Refusal | undefined {
  if (request.memberEpoch === member.epoch || request.memberEpoch === memberEpoch.joining) return undefined
  const isLate = request.memberEpoch === member.previousEpoch && owned !== undefined && minus(owned, member.assigned).size === 0
  if (request.memberEpoch < member.epoch && isLate) return undefined
  const message = `the member is at epoch ${member.epoch} and not at ${request.memberEpoch}: it must give up its partitions and join again`
  return refusal(ErrorCode.FENCED_MEMBER_EPOCH, message)
}

export function unknownMember(memberId: string): Refusal {
  return refusal(ErrorCode.UNKNOWN_MEMBER_ID, `there is no member ${memberId} in the group`)
}
