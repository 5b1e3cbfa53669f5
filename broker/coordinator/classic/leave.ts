import { ErrorCode } from '../../protocol/error-code.ts'
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts'
import { type Circumstances, type Decision, replyOnly, type Ticket } from '../decision.ts'
import { ClassicChange } from './classic-change.ts'
import type { ClassicGroup } from './classic-group.ts'
import { checkIdentity } from './identity.ts'
import { rebalance } from './rebalance.ts'

export interface Leave {
  /** As in v3 and later: one member or many. */
  readonly members: LeaveGroupRequest['members']
  readonly ticket: Ticket
}

type Leaving = LeaveGroupRequest['members'][number]

export function decideLeave(group: ClassicGroup | undefined, { members, ticket }: Leave, now: Circumstances): Decision {
  const answer = (codes: readonly ErrorCode[]): LeaveGroupResponse => ({
    errorCode: ErrorCode.NONE,
    members: members.map(({ memberId, groupInstanceId }, index) => ({ memberId, groupInstanceId, errorCode: codes[index]! })),
  })
  if (group === undefined) return replyOnly(ticket, answer(members.map(() => ErrorCode.UNKNOWN_MEMBER_ID)))
  const change = new ClassicChange(group, now)
  const codes = members.map((member) => leave(change, member))
  change.reply(ticket, answer(codes))
  if (codes.includes(ErrorCode.NONE) && change.state !== 'Empty') rebalance(change)
  return change.decision()
}

/** An operator removes a static member by its instance id alone (KIP-345). */
function leave(change: ClassicChange, leaving: Leaving): ErrorCode {
  const { memberId, groupInstanceId } = leaving
  if (memberId === '') {
    const holder = groupInstanceId === null ? undefined : change.statics.get(groupInstanceId)
    if (holder === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    change.remove(holder)
    return ErrorCode.NONE
  }
  if (!change.pendingJoins.has(memberId)) {
    const error = checkIdentity(change, leaving)
    if (error !== ErrorCode.NONE) return error
  }
  change.remove(memberId)
  return ErrorCode.NONE
}
