// OffsetForLeaderEpoch, v2-v4 (KIP-101, KIP-320): where an epoch ended, so that a client or replica can tell whether its
// records are still ours. -1/-1: we know nothing of that epoch.

import { topicNamed } from '../cluster/image.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import {
  offsetForLeaderEpochApi, type OffsetForLeaderEpochRequest, type OffsetForLeaderEpochResponse,
} from '../protocol/messages/offset-for-leader-epoch.ts'
import type { HandlerOf } from './handler.ts'
import type { PartitionContext } from './partition-context.ts'

type Asked = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]
type Answer = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number]

export function offsetForLeaderEpoch(context: PartitionContext): HandlerOf<typeof offsetForLeaderEpochApi> {
  return {
    api: offsetForLeaderEpochApi,

    handle: (request) => ({
      topics: request.topics.map(
        ({ topic, partitions }) => ({ topic, partitions: partitions.map((asked) => answer(context, topic, asked)) })
      ),
    }),

    refuse: (request, code) => ({
      topics: request.topics.map(({ topic, partitions }) => ({ topic, partitions: partitions.map((asked) => refused(asked, code)) })),
    }),
  }
}

function answer(context: PartitionContext, name: string, asked: Asked): Answer {
  const topic = topicNamed(context.image, name)
  if (topic === undefined) return refused(asked, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const partition = context.partitions.leader(topic.id, asked.partition)
  if (typeof partition === 'number') return refused(asked, partition)
  const fenced = partition.checkEpoch(asked.currentLeaderEpoch)
  if (fenced !== ErrorCode.NONE) return refused(asked, fenced)
  const end = partition.endOffsetForEpoch(asked.leaderEpoch)
  return { errorCode: ErrorCode.NONE, partition: asked.partition, leaderEpoch: end.epoch, endOffset: end.endOffset }
}

function refused(asked: Asked, errorCode: number): Answer {
  return { errorCode, partition: asked.partition, leaderEpoch: -1, endOffset: -1 }
}
