// Moves partitions to other brokers, or calls that off (KIP-455). v1 may insist on the number of replicas (KIP-860).

import { api, array, bool, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const alterPartitionReassignmentsApi = api({
  key: 45, name: 'AlterPartitionReassignments', versions: [0, 1], flexible: 0,
  request: {
    timeoutMs: int32.or(60000),
    allowReplicationFactorChange: bool.or(true).from(1),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        replicas: array(int32).nullable().or(null),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.or(0),
    allowReplicationFactorChange: bool.or(true).from(1),
    errorCode: int16,
    errorMessage: string.nullable(),
    responses: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable(),
      }),
    }),
  },
})

export type AlterPartitionReassignmentsRequest = RequestOf<typeof alterPartitionReassignmentsApi>
export type AlterPartitionReassignmentsResponse = ResponseOf<typeof alterPartitionReassignmentsApi>
