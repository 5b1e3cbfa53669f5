import { ErrorCode } from '../../protocol/error-code.ts'
import type { Group } from '../group.ts'

export interface OffsetReader {
  /** Null: not as a member, as tools do. */
  readonly memberId: string | null
  readonly memberEpoch: number
}

/** May this member read the group's offsets? Classic groups never ask; a member of a consumer group must be up to date (v9). */
export function checkFetch({ membership }: Group, { memberId, memberEpoch }: OffsetReader): ErrorCode {
  if (membership?.kind !== 'consumer') return ErrorCode.NONE
  if (memberId === null && memberEpoch < 0) return ErrorCode.NONE
  const member = membership.members.get(memberId ?? '')
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (member.epoch === memberEpoch) return ErrorCode.NONE
  return member.classic === undefined ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION
}
