// DescribeProducers, v0 (KIP-664): the idempotent and transactional producers that a partition remembers.

import { topicNamed } from '../cluster/image.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { describeProducersApi, type DescribeProducersResponse } from '../protocol/messages/describe-producers.ts'
import type { HandlerOf } from './handler.ts'
import type { PartitionContext } from './partition-context.ts'

type Answer = DescribeProducersResponse['topics'][number]['partitions'][number]

export function describeProducers(context: PartitionContext): HandlerOf<typeof describeProducersApi> {
  return {
    api: describeProducersApi,

    handle: (request) => ({
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name, partitions: partitionIndexes.map((partitionIndex) => answer(context, name, partitionIndex)),
      })),
    }),

    refuse: (request, code) => ({
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name, partitions: partitionIndexes.map((partitionIndex) => refused(partitionIndex, code)),
      })),
    }),
  }
}

function answer(context: PartitionContext, name: string, partitionIndex: number): Answer {
  const topic = topicNamed(context.image, name)
  if (topic === undefined) return refused(partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const partition = context.partitions.leader(topic.id, partitionIndex)
  if (typeof partition === 'number') return refused(partitionIndex, partition)
  return { partitionIndex, errorCode: ErrorCode.NONE, activeProducers: partition.log.producers.describe() }
}

function refused(partitionIndex: number, errorCode: number): Answer {
  return { partitionIndex, errorCode, activeProducers: [] }
}
