// DeleteRecords, v0-v2 (KIP-107): moves the start of a partition up, over both tiers. -1: everything that consumers may
// see. The new start is durable before the answer; disks and object store give the room back later.

import { topicNamed } from '../cluster/image.ts'
import { isStorageFailure } from '../log/storage-failure.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { deleteRecordsApi, type DeleteRecordsRequest, type DeleteRecordsResponse } from '../protocol/messages/delete-records.ts'
import type { Partition } from '../replication/partition.ts'
import { TierError } from '../tier/tier-error.ts'
import type { HandlerOf } from './handler.ts'
import type { PartitionContext } from './partition-context.ts'

type Asked = DeleteRecordsRequest['topics'][number]['partitions'][number]
type Answer = DeleteRecordsResponse['topics'][number]['partitions'][number]

export function deleteRecords(context: PartitionContext): HandlerOf<typeof deleteRecordsApi> {
  return {
    api: deleteRecordsApi,

    handle: async (request) => ({
      topics: await Promise.all(request.topics.map(async ({ name, partitions }) => ({
        name, partitions: await Promise.all(partitions.map((asked) => answer(context, name, asked))),
      }))),
    }),

    refuse: (request, code) => ({
      topics: request.topics.map(({ name, partitions }) => ({ name, partitions: partitions.map((asked) => refused(asked, code)) })),
    }),
  }
}

async function answer(context: PartitionContext, name: string, asked: Asked): Promise<Answer> {
  const topic = topicNamed(context.image, name)
  if (topic === undefined) return refused(asked, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const partition = context.partitions.leader(topic.id, asked.partitionIndex)
  if (typeof partition === 'number') return refused(asked, partition)
  const deleted = await deletion(context, partition, asked.offset)
  if ('errorCode' in deleted) return refused(asked, deleted.errorCode)
  return { partitionIndex: asked.partitionIndex, lowWatermark: deleted.logStartOffset, errorCode: ErrorCode.NONE }
}

/** What one partition's disk, or its part in the object store, does not do is no trouble of the others in the request. */
async function deletion(context: PartitionContext, partition: Partition, before: number): ReturnType<Partition['deleteRecords']> {
  try {
    return await partition.deleteRecords(before)
  } catch (cause) {
    if (!(cause instanceof TierError || isStorageFailure(cause))) throw cause
    context.onNotDeleted?.(partition, cause)
    return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR }
  }
}

function refused(asked: Asked, errorCode: number): Answer {
  return { partitionIndex: asked.partitionIndex, lowWatermark: -1, errorCode }
}
