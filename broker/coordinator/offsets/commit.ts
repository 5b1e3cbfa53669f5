import { ErrorCode } from '../../protocol/error-code.ts'
import type { Uuid } from '../../runtime/random.ts'
import { checkIdentity } from '../classic/identity.ts'
import { type ClassicGroup, emptyClassicGroup } from '../classic/classic-group.ts'
import type { ConsumerGroup } from '../consumer/consumer-group.ts'
import { type Circumstances, type Decision, replyOnly, type Ticket, type Touch } from '../decision.ts'
import type { Group, GroupRecord } from '../group.ts'
import type { OffsetChange } from './offsets.ts'

export interface CommitOffsets {
  readonly ticket: Ticket
  readonly memberId: string
  readonly instanceId: string | null
  /** The generation of a classic group, the member epoch of a consumer group; negative: not as a member. */
  readonly epoch: number
  readonly version: number
  /** Undefined: the broker's (since v5 always). */
  readonly retentionMs: number | undefined
  readonly offsets: readonly OffsetToCommit[]
}

export interface OffsetToCommit {
  readonly topicId: Uuid
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

/** An item of offsets must hold sixteen of these whatever characters they are made of. */
export const metadataCharactersCap = 4_096

/** Answers one code for all offsets, or one for each in order. */
export type CommitAnswer = ErrorCode | readonly ErrorCode[]

export function decideCommit(group: Group, commit: CommitOffsets, now: Circumstances): Decision {
  const error = checkCommit(group.membership, commit)
  if (error !== ErrorCode.NONE) return replyOnly(commit.ticket, error)
  const { codes, changes } = offsetsOf(commit, now)
  const records: GroupRecord[] = changes.map((change) => ({ type: 'offset', ...change }))
  return {
    records: [...simpleGroup(group, records, now), ...records],
    replies: [{ ticket: commit.ticket, response: codes }], touched: touchOf(group.membership, commit.memberId),
  }
}

/** What is to be kept, and a code for each offset in order. */
export function offsetsOf(
  commit: Pick<CommitOffsets, 'offsets' | 'retentionMs'>, now: Circumstances,
): { readonly codes: readonly ErrorCode[]; readonly changes: readonly OffsetChange[] } {
  const charactersMax = Math.min(now.settings.offsetMetadataCharactersMax, metadataCharactersCap)
  const codes: ErrorCode[] = []
  const changes: OffsetChange[] = []
  for (const { topicId, partition, offset, leaderEpoch, metadata } of commit.offsets) {
    const isTooLong = metadata.length > charactersMax
    // Two to the 63rd minus one is read as infinity (docs/adr/0001), which no log reaches and no item can hold.
    const isImpossible = !Number.isSafeInteger(offset)
    codes.push(isTooLong ? ErrorCode.OFFSET_METADATA_TOO_LARGE : isImpossible ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE)
    if (isTooLong || isImpossible) continue
    const expiresAt = commit.retentionMs === undefined ? undefined : Math.min(now.now + commit.retentionMs, Number.MAX_SAFE_INTEGER)
    changes.push({ topicId, partition, offset: { offset, leaderEpoch, metadata, committedAt: now.now, expiresAt } })
  }
  return { codes, changes }
}

/** Whoever commits without being a member makes a group of offsets alone ("simple" in Kafka). */
export function simpleGroup({ membership }: Group, records: readonly GroupRecord[], now: Circumstances): GroupRecord[] {
  if (membership !== undefined || records.length === 0) return []
  return [{ type: 'classic', group: { ...emptyClassicGroup, changedAt: now.now }, isDurable: true }]
}

/** A commit shows that a classic member is alive. */
function touchOf(membership: Group['membership'], memberId: string): Touch[] {
  const member = membership?.kind === 'classic' ? membership.members.get(memberId) : undefined
  return member === undefined ? [] : [{ memberId, timeoutMs: member.sessionTimeoutMs }]
}

type Who = Pick<CommitOffsets, 'memberId' | 'instanceId' | 'epoch' | 'version'>

export function checkCommit(membership: Group['membership'], who: Who): ErrorCode {
  if (membership === undefined) {
    if (who.epoch < 0) return ErrorCode.NONE
    return who.version >= 9 ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION
  }
  return membership.kind === 'classic' ? checkClassic(membership, who) : checkConsumer(membership, who)
}

function checkClassic(group: ClassicGroup, { memberId, instanceId, epoch }: Who): ErrorCode {
  if (epoch < 0 && group.phase.state === 'Empty') return ErrorCode.NONE
  if (epoch < 0 && memberId === '' && instanceId === null) return ErrorCode.UNKNOWN_MEMBER_ID
  const error = checkIdentity(group, { memberId, groupInstanceId: instanceId })
  if (error !== ErrorCode.NONE) return error
  if (epoch !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  // The member has been told of a new generation, in which the partition may be another's already.
  return group.phase.state === 'CompletingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

function checkConsumer(group: ConsumerGroup, { memberId, epoch, version }: Who): ErrorCode {
  if (epoch < 0 && group.members.size === 0) return ErrorCode.NONE
  const member = group.members.get(memberId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (member.classic !== undefined) return epoch === member.epoch ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION
  // Older clients would not understand that their epoch is stale.
  if (version < 9) return ErrorCode.UNSUPPORTED_VERSION
  return epoch === member.epoch ? ErrorCode.NONE : ErrorCode.STALE_MEMBER_EPOCH
}
