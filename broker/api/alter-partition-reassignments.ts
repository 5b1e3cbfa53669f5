// AlterPartitionReassignments, v0-v1 (KIP-455): moves partitions to other brokers; null calls off what goes on.
//
// The answer comes once the metadata says so. The new replicas then copy, and the reassignment ends when they are in sync
// (cluster/reassignment.ts); ListPartitionReassignments shows those that go on. Any broker may be asked.
//   v1  may insist on the number of replicas (KIP-860)

import { ErrorCode } from '../protocol/error-code.ts'
import {
  alterPartitionReassignmentsApi, type AlterPartitionReassignmentsRequest,
} from '../protocol/messages/alter-partition-reassignments.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

export function alterPartitionReassignments(context: ClusterContext): HandlerOf<typeof alterPartitionReassignmentsApi> {
  return {
    api: alterPartitionReassignmentsApi,

    async handle(request) {
      const wanted = request.topics.flatMap(({ name: topic, partitions }) => partitions.map(({ partitionIndex, replicas }) => ({
        topic, partition: partitionIndex, replicas,
      })))
      const outcomes = await context.partitionAdmin.reassign(wanted, { mayChangeFactor: request.allowReplicationFactorChange })
      const left = outcomes.values()
      return {
        ...head(request, ErrorCode.NONE),
        responses: request.topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => {
            const refused = left.next().value
            return { partitionIndex, errorCode: refused?.code ?? ErrorCode.NONE, errorMessage: refused?.message ?? null }
          }),
        })),
      }
    },

    refuse: (request, code) => ({ ...head(request, code), responses: [] }),
  }
}

function head({ allowReplicationFactorChange }: AlterPartitionReassignmentsRequest, errorCode: number) {
  return { allowReplicationFactorChange, errorCode, errorMessage: null }
}
