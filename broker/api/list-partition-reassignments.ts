// ListPartitionReassignments, v0 (KIP-455): the partitions that are being moved. Those that are not, or that nobody knows, are
// left out, as in Kafka.

import { type PartitionImage, topicNamed } from '../cluster/image.ts'
import { enteringReplicas, isMoving } from '../cluster/reassignment.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { listPartitionReassignmentsApi } from '../protocol/messages/list-partition-reassignments.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

export function listPartitionReassignments(context: ClusterContext): HandlerOf<typeof listPartitionReassignmentsApi> {
  return {
    api: listPartitionReassignmentsApi,

    handle({ topics: asked }) {
      const { image } = context
      const topics = asked === null
        ? [...image.topics.values()]
        : asked.flatMap(({ name, partitionIndexes }) => {
          const topic = topicNamed(image, name)
          if (topic === undefined) return []
          return [{ name, partitions: topic.partitions.filter(({ partition }) => partitionIndexes.includes(partition)) }]
        })
      const moving = topics.map(({ name, partitions }) => ({ name, partitions: partitions.filter(isMoving).map(describe) }))
      return { errorCode: ErrorCode.NONE, errorMessage: null, topics: moving.filter(({ partitions }) => partitions.length > 0) }
    },

    refuse: (_request, code) => ({ errorCode: code, errorMessage: null, topics: [] }),
  }
}

function describe(partition: PartitionImage) {
  const { replicas, removing = [] } = partition
  return { partitionIndex: partition.partition, replicas, addingReplicas: enteringReplicas(partition), removingReplicas: removing }
}
