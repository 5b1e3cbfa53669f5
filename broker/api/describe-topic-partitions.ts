// DescribeTopicPartitions, v0 (KIP-966): partitions with their eligible leader replicas, a page at a time.
//
// Topics come in the order of their names. No topic named: all of them. A page holds at most
// `responsePartitionLimit` partitions, and never more than we allow; the cursor says where the next one starts.

import type { TopicImage } from '../cluster/image.ts'
import { isAlive, topicNamed } from '../cluster/image.ts'
import { problemWithName } from '../cluster/topic-changes.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import {
  describeTopicPartitionsApi, type DescribeTopicPartitionsRequest, type DescribeTopicPartitionsResponse,
} from '../protocol/messages/describe-topic-partitions.ts'
import { zeroUuid } from '../runtime/random.ts'
import { allTopicOperations } from './authorized-operations.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

type TopicAnswer = DescribeTopicPartitionsResponse['topics'][number]

export function describeTopicPartitions(
  context: ClusterContext, options: { readonly partitionsPerPageMax: number },
): HandlerOf<typeof describeTopicPartitionsApi> {
  return {
    api: describeTopicPartitionsApi,

    handle(request) {
      let left = Math.max(Math.min(request.responsePartitionLimit, options.partitionsPerPageMax), 1)
      const topics: TopicAnswer[] = []
      for (const name of namesFrom(context, request)) {
        const topic = topicNamed(context.image, name)
        if (topic === undefined) {
          topics.push(unknown(name))
          continue
        }
        if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
        const start = request.cursor?.topicName === name ? Math.max(request.cursor.partitionIndex, 0) : 0
        const end = Math.min(start + left, topic.partitions.length)
        topics.push(describe(context, topic, { start, end }))
        left -= end - start
        if (end < topic.partitions.length) return { topics, nextCursor: { topicName: name, partitionIndex: end } }
      }
      return { topics, nextCursor: null }
    },

    refuse: (request, code) => ({
      topics: request.topics.map(({ name }) => ({ ...unknown(name), errorCode: code })), nextCursor: null,
    }),
  }
}

function namesFrom(context: ClusterContext, request: DescribeTopicPartitionsRequest): string[] {
  const asked = request.topics.length > 0 ? request.topics.map(({ name }) => name) : [...context.image.topicIds.keys()]
  const from = request.cursor?.topicName ?? ''
  return [...new Set(asked)].sort().filter((name) => name >= from)
}

function unknown(name: string): TopicAnswer {
  const errorCode = problemWithName(name) === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION
  return { errorCode, name, topicId: zeroUuid, partitions: [] }
}

function describe(context: ClusterContext, topic: TopicImage, range: { start: number; end: number }): TopicAnswer {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    topicAuthorizedOperations: allTopicOperations,
    partitions: topic.partitions.slice(range.start, range.end).map((partition) => ({
      errorCode: partition.leader < 0 ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
      partitionIndex: partition.partition,
      leaderId: partition.leader,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      eligibleLeaderReplicas: partition.elr,
      lastKnownElr: [],
      offlineReplicas: partition.replicas.filter((id) => !isAlive(context.image, id)),
    })),
  }
}
