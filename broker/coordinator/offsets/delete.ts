import { ErrorCode } from '../../protocol/error-code.ts'
import type { Uuid } from '../../runtime/random.ts'
import { consumerProtocolType, emptyClassicGroup } from '../classic/classic-group.ts'
import { type Circumstances, type Decision, replyOnly, type Ticket } from '../decision.ts'
import type { Group, GroupRecord } from '../group.ts'
import { eachOffset, offsetOf } from './offsets.ts'
import { forgetPending } from './pending.ts'
import { isSubscribed } from './subscription.ts'

export interface DeleteOffsets {
  readonly ticket: Ticket
  readonly topics: readonly { readonly name: string; readonly topicId: Uuid; readonly partitions: readonly number[] }[]
}

/** Answers one code for the group, or one for each topic in order. */
export type DeleteOffsetsAnswer = ErrorCode | readonly ErrorCode[]

export function decideDeleteOffsets(group: Group, { ticket, topics }: DeleteOffsets): Decision {
  const { membership } = group
  if (membership === undefined) return replyOnly(ticket, ErrorCode.GROUP_ID_NOT_FOUND)
  const isClosed = membership.kind === 'classic' && membership.phase.state !== 'Empty' && membership.protocolType !== consumerProtocolType
  if (isClosed) return replyOnly(ticket, ErrorCode.NON_EMPTY_GROUP)
  const records: GroupRecord[] = []
  const codes = topics.map(({ name, topicId, partitions }) => {
    if (isSubscribed(membership, name)) return ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    for (const partition of new Set(partitions)) {
      if (offsetOf(group.offsets, topicId, partition) === undefined) continue
      records.push({ type: 'offset', topicId, partition, offset: undefined })
    }
    return ErrorCode.NONE
  })
  return { records, replies: [{ ticket, response: codes }], touched: [] }
}

/** Topics that are gone take their offsets with them. */
export function decideForgetTopics(group: Group, topicIds: ReadonlySet<Uuid>): Decision {
  const records: GroupRecord[] = []
  for (const { topicId, partition } of eachOffset(group.offsets)) {
    if (topicIds.has(topicId)) records.push({ type: 'offset', topicId, partition, offset: undefined })
  }
  return { records: [...records, ...forgetPending(group.pending, topicIds)], replies: [], touched: [] }
}

/**
 * What waits for the end of a transaction outlives its group, as in Kafka: of such a group the committed offsets go now, and
 * the rest with whatever becomes of the transaction.
 */
export function decideDeleteGroup({ membership, offsets, pending }: Group, ticket: Ticket, { now }: Circumstances): Decision {
  if (membership === undefined) return replyOnly(ticket, ErrorCode.GROUP_ID_NOT_FOUND)
  const isEmpty = membership.kind === 'classic' ? membership.phase.state === 'Empty' : membership.members.size === 0
  if (!isEmpty) return replyOnly(ticket, ErrorCode.NON_EMPTY_GROUP)
  const replies = [{ ticket, response: ErrorCode.NONE }]
  if (pending.size === 0) return { records: [{ type: 'groupDeleted' }], replies, touched: [] }
  const records: GroupRecord[] = [{ type: 'classic', group: { ...emptyClassicGroup, changedAt: now }, isDurable: true }]
  for (const { topicId, partition } of eachOffset(offsets)) records.push({ type: 'offset', topicId, partition, offset: undefined })
  return { records, replies, touched: [] }
}

