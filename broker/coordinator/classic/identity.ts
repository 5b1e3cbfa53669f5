import { ErrorCode } from '../../protocol/error-code.ts'
import type { ClassicGroup } from './classic-group.ts'

export interface Claimed {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

/**
 * Is this who it says it is? A static member whose instance id has passed to another process is fenced (KIP-345):
 * that error is final for the client, where UNKNOWN_MEMBER_ID makes it join again.
 */
export function checkIdentity(group: Pick<ClassicGroup, 'members' | 'statics'>, { memberId, groupInstanceId }: Claimed): ErrorCode {
  if (groupInstanceId !== null) {
    const holder = group.statics.get(groupInstanceId)
    if (holder === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    if (holder !== memberId) return ErrorCode.FENCED_INSTANCE_ID
  }
  return group.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
}
