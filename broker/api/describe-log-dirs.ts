// DescribeLogDirs, v1-v5 (KIP-113): what this broker's partitions take on its disk. There is one directory.
//   v4  size and room of the volume (KIP-827)

import { topicNamed } from '../cluster/image.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { describeLogDirsApi, type DescribeLogDirsRequest } from '../protocol/messages/describe-log-dirs.ts'
import type { Partition } from '../replication/partition.ts'
import type { HandlerOf } from './handler.ts'
import type { PartitionContext } from './partition-context.ts'

export interface LogDirectory {
  /** Absolute. */
  readonly path: string
  /** Of the volume that it is on, in bytes. */
  space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>
}

export function describeLogDirs(context: PartitionContext, directory: LogDirectory): HandlerOf<typeof describeLogDirsApi> {
  return {
    api: describeLogDirsApi,

    async handle(request) {
      const { totalBytes, freeBytes } = await directory.space()
      const topics = [...byTopic(chosen(context, request))].map(([name, partitions]) => ({
        name,
        partitions: partitions.map((partition) => ({
          partitionIndex: partition.partition, partitionSize: partition.log.bytes, offsetLag: 0, isFutureKey: false,
        })),
      }))
      const result = { errorCode: ErrorCode.NONE, logDir: directory.path, topics, totalBytes, usableBytes: freeBytes }
      return { errorCode: ErrorCode.NONE, results: [result] }
    },

    refuse: (_request, code) => ({ errorCode: code, results: [] }),
  }
}

function* chosen(context: PartitionContext, request: DescribeLogDirsRequest): Generator<Partition> {
  if (request.topics === null) {
    yield* context.partitions
    return
  }
  for (const { topic, partitions } of request.topics) {
    const id = topicNamed(context.image, topic)?.id
    for (const index of partitions) {
      const partition = id === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : context.partitions.leader(id, index)
      if (typeof partition !== 'number') yield partition
    }
  }
}

function byTopic(partitions: Iterable<Partition>): Map<string, Partition[]> {
  return Map.groupBy(partitions, (partition) => partition.topicName)
}
