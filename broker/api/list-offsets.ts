// ListOffsets, v1-v11: the offset of a timestamp, or of one of these places:
//   -1 latest    -2 earliest    -3 the largest timestamp (KIP-734, v7)    -4 earliest on local disk (KIP-405, v8)
//   -5 the last in the object store (KIP-1005, v9)    -6 the first that is not there yet (KIP-1023, v11)
//
// read_committed sees up to the last stable offset, read_uncommitted up to the high watermark. The largest timestamp is that of
// what can be seen (Kafka answers -1 as long as a record behind it has a larger one). No record at or behind the timestamp: offset
// -1. A leader that does not know yet what was committed before it, or does not know whether it still leads, says so (KIP-207):
// a position never goes back. A tier that is away: a retriable error, never "none", which consumers take for an end.

import { topicNamed } from '../cluster/image.ts'
import { isStorageFailure } from '../log/storage-failure.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { listOffsetsApi, type ListOffsetsRequest, type ListOffsetsResponse } from '../protocol/messages/list-offsets.ts'
import type { Partition } from '../replication/partition.ts'
import type { HandlerOf } from './handler.ts'
import type { PartitionContext } from './partition-context.ts'

type Asked = ListOffsetsRequest['topics'][number]['partitions'][number]
type Answer = ListOffsetsResponse['topics'][number]['partitions'][number]

export function listOffsets(context: PartitionContext): HandlerOf<typeof listOffsetsApi> {
  return {
    api: listOffsetsApi,

    async handle(request, call) {
      const seen = new Map<string, number>()
      for (const { name, partitions } of request.topics) {
        for (const { partitionIndex } of partitions) seen.set(`${name}:${partitionIndex}`, (seen.get(`${name}:${partitionIndex}`) ?? 0) + 1)
      }
      const topics = request.topics.map(async ({ name, partitions }) => ({
        name,
        partitions: await Promise.all(partitions.map((asked) => {
          if (seen.get(`${name}:${asked.partitionIndex}`)! > 1) return refused(asked, ErrorCode.INVALID_REQUEST)
          return answer(context, { name, asked, isCommittedOnly: request.isolationLevel === 1, version: call.version })
        })),
      }))
      return { topics: await Promise.all(topics) }
    },

    refuse: (request, code) => ({
      topics: request.topics.map(({ name, partitions }) => ({ name, partitions: partitions.map((asked) => refused(asked, code)) })),
    }),
  }
}

interface Question {
  readonly name: string
  readonly asked: Asked
  readonly isCommittedOnly: boolean
  readonly version: number
}

/** The first version that knows each special timestamp. */
const specialSince: ReadonlyMap<number, number> = new Map([[-1, 0], [-2, 0], [-3, 7], [-4, 8], [-5, 9], [-6, 11]])

async function answer(context: PartitionContext, { name, asked, isCommittedOnly, version }: Question): Promise<Answer> {
  const topic = topicNamed(context.image, name)
  if (topic === undefined) return refused(asked, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const partition = context.partitions.leader(topic.id, asked.partitionIndex)
  if (typeof partition === 'number') return refused(asked, partition)
  const fenced = partition.checkEpoch(asked.currentLeaderEpoch)
  if (fenced !== ErrorCode.NONE) return refused(asked, fenced)
  if (asked.timestamp < 0 && (specialSince.get(asked.timestamp) ?? Infinity) > version) {
    return refused(asked, ErrorCode.UNSUPPORTED_VERSION)
  }
  const unsure = isSettled(asked.timestamp) ? ErrorCode.NONE : partition.certainty()
  if (unsure !== ErrorCode.NONE) return refused(asked, unsure)
  const endOffset = isCommittedOnly ? partition.lastStableOffset : partition.highWatermark
  const place = placeOf(partition, asked.timestamp, endOffset)
  if (place !== undefined) return found(partition, asked, { offset: place, timestamp: -1 })
  const record = await search(context, partition, { timestamp: asked.timestamp, endOffset })
  if (record === 'unavailable') return refused(asked, ErrorCode.KAFKA_STORAGE_ERROR)
  return found(partition, asked, record ?? { offset: -1, timestamp: -1 })
}

/** Places that do not follow from how far the partition is committed. */
function isSettled(timestamp: number): boolean {
  return timestamp === -2 || timestamp === -4 || timestamp === -5 || timestamp === -6
}

async function search(context: PartitionContext, partition: Partition, { timestamp, endOffset }: { timestamp: number; endOffset: number }) {
  try {
    return timestamp === -3 ? await partition.maxTimestamp(endOffset) : await partition.offsetForTimestamp(timestamp, endOffset)
  } catch (cause) {
    if (!isStorageFailure(cause)) throw cause
    context.onUnreadable?.(partition, cause)
    return 'unavailable'
  }
}

/** Places that need no search; -1: there is no such place. */
function placeOf(partition: Partition, timestamp: number, endOffset: number): number | undefined {
  const tierEnd = partition.tier?.endOffset
  switch (timestamp) {
    case -1: return endOffset
    case -2: return partition.logStartOffset
    case -4: return Math.max(partition.log.localStartOffset, partition.logStartOffset)
    case -5: return tierEnd === undefined ? -1 : tierEnd - 1
    case -6: return partition.tier === undefined ? -1 : (tierEnd ?? partition.logStartOffset)
    default: return undefined
  }
}

function found(partition: Partition, asked: Asked, { offset, timestamp }: { offset: number; timestamp: number }): Answer {
  const leaderEpoch = offset < 0 ? -1 : (partition.log.epochs.epochAt(offset) ?? partition.leaderEpoch)
  return { partitionIndex: asked.partitionIndex, errorCode: ErrorCode.NONE, timestamp, offset, leaderEpoch }
}

function refused(asked: Asked, errorCode: number): Answer {
  return { partitionIndex: asked.partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 }
}
