import { consumerProtocolType } from '../classic/classic-group.ts'
import { type Circumstances, type Decision, nothing } from '../decision.ts'
import type { Group, GroupRecord } from '../group.ts'
import { type CommittedOffset, eachOffset } from './offsets.ts'
import { isPending } from './pending.ts'
import { isSubscribed } from './subscription.ts'

/**
 * Offsets expire once their group has been empty for the retention; those of topics that a living group does not
 * consume any more, and those of groups that never had members, by the time of the commit (KIP-211). A group without
 * members and offsets is deleted. What an open transaction may change stays, and so does its group.
 */
export function decideExpiry(group: Group, now: Circumstances): Decision {
  const { membership } = group
  if (membership === undefined) return nothing
  const since = expirySince(membership)
  if (since === undefined) return nothing
  const records: GroupRecord[] = []
  let left = 0
  for (const { topicId, partition, offset } of eachOffset(group.offsets)) {
    const name = now.topics.byId(topicId)?.name
    const isInUse = name !== undefined && isSubscribed(membership, name)
    const mayGo = !isInUse && !isPending(group.pending, topicId, partition)
    if (mayGo && isOver(offset, since(offset), now)) records.push({ type: 'offset', topicId, partition, offset: undefined })
    else left += 1
  }
  const isDone = left === 0 && group.pending.size === 0 && isDeserted(membership)
  return { records: isDone ? [{ type: 'groupDeleted' }] : records, replies: [], touched: [] }
}

function isOver({ expiresAt }: CommittedOffset, since: number, { now, settings }: Circumstances): boolean {
  return expiresAt === undefined ? now - since >= settings.offsetRetentionMs : now >= expiresAt
}

/** From when an offset's retention counts; undefined: nothing expires now. */
function expirySince(membership: NonNullable<Group['membership']>): ((offset: CommittedOffset) => number) | undefined {
  const byCommit = ({ committedAt }: CommittedOffset) => committedAt
  if (membership.kind === 'consumer') return byCommit
  if (membership.protocolType === undefined) return byCommit
  if (membership.phase.state === 'Empty') return (offset) => Math.max(membership.changedAt, offset.committedAt)
  const isStableConsumer = membership.phase.state === 'Stable' && membership.protocolType === consumerProtocolType
  return isStableConsumer && membership.topics !== undefined ? byCommit : undefined
}

function isDeserted(membership: NonNullable<Group['membership']>): boolean {
  if (membership.kind === 'consumer') return membership.members.size === 0
  return membership.phase.state === 'Empty' && membership.pendingJoins.size === 0
}
