import { ErrorCode } from '../../protocol/error-code.ts'
import type { Claimed } from '../classic/identity.ts'
import type { ClassicFacts, ConsumerGroup, ConsumerMember } from '../consumer/consumer-group.ts'
import { staticMember } from '../consumer/member-identity.ts'

export interface ClassicConsumer extends ConsumerMember {
  readonly classic: ClassicFacts
}

/** The member that this is, or why it is none. */
export function findMember(group: ConsumerGroup, { memberId, groupInstanceId }: Claimed): ConsumerMember | ErrorCode {
  const member = groupInstanceId === null ? group.members.get(memberId) : staticMember(group, groupInstanceId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  return member.memberId === memberId ? member : ErrorCode.FENCED_INSTANCE_ID
}

/** The same for requests that only members of the classic protocol send. */
export function findClassic(group: ConsumerGroup, claimed: Claimed): ClassicConsumer | ErrorCode {
  const member = findMember(group, claimed)
  if (typeof member === 'number') return member
  return isClassic(member) ? member : ErrorCode.UNKNOWN_MEMBER_ID
}

export function isClassic(member: ConsumerMember): member is ClassicConsumer {
  return member.classic !== undefined
}
