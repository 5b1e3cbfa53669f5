// The partitions that are being moved, and how far they are (KIP-455).

import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const listPartitionReassignmentsApi = api({
  key: 46, name: 'ListPartitionReassignments', versions: [0, 0], flexible: 0,
  request: {
    timeoutMs: int32.or(60000),
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    }).nullable().or(null),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    errorMessage: string.nullable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        replicas: array(int32),
        addingReplicas: array(int32),
        removingReplicas: array(int32),
      }),
    }),
  },
})

export type ListPartitionReassignmentsRequest = RequestOf<typeof listPartitionReassignmentsApi>
export type ListPartitionReassignmentsResponse = ResponseOf<typeof listPartitionReassignmentsApi>
