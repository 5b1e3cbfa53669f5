// OffsetFetch, v1-v10: what a group has committed.
//
// A partition without an offset, and a group that does not exist, answer -1 without an error, as consumers expect.
//   v2  null for all topics, a code for the whole       v5  leader epochs (KIP-320)
//   v7  requireStable (KIP-447): the answer waits for commits that are on their way, and for the table to confirm that
//       this broker still coordinates the group; without it a deposed coordinator may answer with older offsets. What an open
//       transaction may change is UNSTABLE_OFFSET_COMMIT, and asked for again; without it nobody hears of open transactions
//   v8  many groups (KIP-709)     v9  members of consumer groups say who they are (KIP-848)     v10 topic ids (KIP-848)

import type { Groups } from '../coordinator/groups.ts'
import type { Group } from '../coordinator/group.ts'
import { checkFetch } from '../coordinator/offsets/fetch.ts'
import { type CommittedOffset, offsetOf } from '../coordinator/offsets/offsets.ts'
import { isPending } from '../coordinator/offsets/pending.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { offsetFetchApi, type OffsetFetchRequest, type OffsetFetchResponse } from '../protocol/messages/offset-fetch.ts'
import { type Uuid, zeroUuid } from '../runtime/random.ts'
import type { HandlerOf } from './handler.ts'

type AskedGroup = OffsetFetchRequest['groups'][number]
type AskedTopic = NonNullable<AskedGroup['topics']>[number]
type GroupAnswer = NonNullable<OffsetFetchResponse['groups']>[number]
type PartitionAnswer = GroupAnswer['topics'][number]['partitions'][number]

export function offsetFetch(groups: Groups): HandlerOf<typeof offsetFetchApi> {
  return {
    api: offsetFetchApi,

    async handle(request, { version }) {
      const asked = version >= 8 ? request.groups : [singleGroup(request)]
      const { requireStable } = request
      const answers = await Promise.all(asked.map((one) => answer(groups, one, { requireStable, byId: version >= 10 })))
      return response(answers, version)
    },

    refuse: (request, code) => {
      const asked = request.groups.length > 0 ? request.groups : [singleGroup(request)]
      const answers = asked.map((one) => refused(one, code))
      // Whichever version it is for: a code for the whole, for each group, and for each partition.
      return { ...response(answers, 1), groups: answers }
    },
  }
}

/** Before v8 there was one group in a request. */
function singleGroup({ groupId, topics }: OffsetFetchRequest): AskedGroup {
  return { groupId, memberId: null, memberEpoch: -1, topics: topics?.map((topic) => ({ ...topic, topicId: zeroUuid })) ?? null }
}

interface Manner {
  readonly requireStable: boolean
  readonly byId: boolean
}

async function answer(groups: Groups, asked: AskedGroup, { requireStable, byId }: Manner): Promise<GroupAnswer> {
  const { groupId, topics } = asked
  const group = requireStable ? await groups.execute<Group>(groupId, { kind: 'confirm' }) : await groups.look(groupId)
  if (typeof group === 'number') return refused(asked, group)
  const error = checkFetch(group, asked)
  if (error !== ErrorCode.NONE) return refused(asked, error)
  return {
    groupId, errorCode: ErrorCode.NONE,
    topics: topics === null
      ? allTopics(groups, group, requireStable) : topics.map((topic) => oneTopic(groups, group, { topic, byId, requireStable })),
  }
}

function allTopics(groups: Groups, group: Group, requireStable: boolean): GroupAnswer['topics'] {
  const answers: GroupAnswer['topics'][number][] = []
  for (const [topicId, buckets] of group.offsets) {
    const topic = groups.topics.byId(topicId)
    // Deleted; what was committed for it is on its way out.
    if (topic === undefined) continue
    const committed = [...buckets.values()].flatMap((bucket) => [...bucket.keys()])
    const partitions = committed.map((partition) => onePartition(group, { topicId, partition, requireStable }))
    answers.push({ name: topic.name, topicId, partitions })
  }
  return answers
}

function oneTopic(
  { topics }: Groups, group: Group, { topic, byId, requireStable }: Manner & { readonly topic: AskedTopic },
): GroupAnswer['topics'][number] {
  const { name, topicId, partitionIndexes } = topic
  const known = byId ? topics.byId(topicId) : topics.byName(name)
  if (known === undefined) {
    const code = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.NONE
    return { name, topicId, partitions: partitionIndexes.map((partition) => missing(partition, code)) }
  }
  const partitions = partitionIndexes.map((partition) => onePartition(group, { topicId: known.id, partition, requireStable }))
  return { name, topicId, partitions }
}

function onePartition(
  { offsets, pending }: Group,
  { topicId, partition, requireStable }: { readonly topicId: Uuid; readonly partition: number; readonly requireStable: boolean },
): PartitionAnswer {
  if (requireStable && isPending(pending, topicId, partition)) return missing(partition, ErrorCode.UNSTABLE_OFFSET_COMMIT)
  return found(partition, offsetOf(offsets, topicId, partition))
}

function found(partitionIndex: number, committed: CommittedOffset | undefined): PartitionAnswer {
  if (committed === undefined) return missing(partitionIndex, ErrorCode.NONE)
  const { offset, leaderEpoch, metadata } = committed
  return { partitionIndex, committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata, errorCode: ErrorCode.NONE }
}

function missing(partitionIndex: number, errorCode: number): PartitionAnswer {
  return { partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode }
}

/** The partitions are for clients of v1, who know of no code for the whole. */
function refused({ groupId, topics }: AskedGroup, errorCode: number): GroupAnswer & { readonly errorCode: number } {
  return {
    groupId, errorCode,
    topics: (topics ?? []).map(({ name, topicId, partitionIndexes }): { name: string; topicId: Uuid; partitions: PartitionAnswer[] } => ({
      name, topicId, partitions: partitionIndexes.map((partition) => missing(partition, errorCode)),
    })),
  }
}

function response(answers: readonly GroupAnswer[], version: number): OffsetFetchResponse {
  const codeAlone = (one: GroupAnswer) => (one.errorCode ? { ...one, topics: [] } : one)
  if (version >= 8) return { topics: [], groups: answers.map(codeAlone) }
  const { topics, errorCode } = version >= 2 ? codeAlone(answers[0]!) : answers[0]!
  return { topics, errorCode, groups: [] }
}
