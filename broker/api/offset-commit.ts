// OffsetCommit, v2-v10: where a group's consumers are.
//
// Offsets are kept by topic id, so a topic that is made again under an old name inherits none. They are
// written together with the proof that this broker still coordinates the group (G1); what is acknowledged is in the
// table, and where that is not known the answer is COORDINATOR_NOT_AVAILABLE, never success (G4). Who commits without
// being a member makes a group that has offsets alone.
//   v2-4  a retention of its own        v6  leader epochs (KIP-320), kept and returned (G3)     v7  static members (KIP-345)
//   v9    members of consumer groups (KIP-848) commit at their epoch     v10 topic ids (KIP-848)

import type { CommitAnswer, OffsetToCommit } from '../coordinator/offsets/commit.ts'
import type { Groups } from '../coordinator/groups.ts'
import type { Topic } from '../coordinator/topics.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { offsetCommitApi, type OffsetCommitRequest, type OffsetCommitResponse } from '../protocol/messages/offset-commit.ts'
import type { HandlerOf } from './handler.ts'

type Asked = OffsetCommitRequest['topics'][number]

export function offsetCommit(groups: Groups): HandlerOf<typeof offsetCommitApi> {
  return {
    api: offsetCommitApi,

    async handle(request, { version }) {
      const topics = request.topics.map((asked) => ({ asked, topic: topicOf(groups, asked, version) }))
      const offsets = topics.flatMap(({ asked, topic }) => offsetsToCommit(asked, topic))
      const unknown = version >= 10 ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      const answer = offsets.length === 0 ? ErrorCode.NONE : await groups.execute<CommitAnswer>(request.groupId, {
        kind: 'commitOffsets',
        memberId: request.memberId,
        instanceId: request.groupInstanceId,
        epoch: request.generationIdOrMemberEpoch,
        version,
        retentionMs: request.retentionTimeMs < 0 ? undefined : request.retentionTimeMs,
        offsets,
      })
      const codes = typeof answer === 'number' ? offsets.map(() => answer) : [...answer]
      return response(topics.map(({ asked, topic }) => ({
        asked,
        codes: asked.partitions.map(({ partitionIndex }) => {
          if (topic === undefined) return unknown
          return isIn(topic, partitionIndex) ? codes.shift()! : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        }),
      })))
    },

    refuse: (request, code) => response(request.topics.map((asked) => ({ asked, codes: asked.partitions.map(() => code) }))),
  }
}

function topicOf(groups: Groups, { name, topicId }: Asked, version: number): Topic | undefined {
  return version >= 10 ? groups.topics.byId(topicId) : groups.topics.byName(name)
}

function isIn(topic: Topic, partition: number): boolean {
  return partition >= 0 && partition < topic.partitionCount
}

function offsetsToCommit({ partitions }: Asked, topic: Topic | undefined): OffsetToCommit[] {
  if (topic === undefined) return []
  return partitions.filter(({ partitionIndex }) => isIn(topic, partitionIndex)).map((one) => ({
    topicId: topic.id,
    partition: one.partitionIndex,
    offset: one.committedOffset,
    leaderEpoch: one.committedLeaderEpoch,
    metadata: one.committedMetadata ?? '',
  }))
}

function response(topics: readonly { readonly asked: Asked; readonly codes: readonly number[] }[]): OffsetCommitResponse {
  return {
    topics: topics.map(({ asked: { name, topicId, partitions }, codes }) => ({
      name, topicId,
      partitions: partitions.map(({ partitionIndex }, index) => ({ partitionIndex, errorCode: codes[index]! })),
    })),
  }
}
