// Elects leaders at an operator's word (KIP-183). v1 also elects replicas that are not in sync (KIP-460).

import { api, array, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const electLeadersApi = api({
  key: 43, name: 'ElectLeaders', versions: [0, 2], flexible: 2,
  request: {
    electionType: int8.from(1),
    topicPartitions: array({
      topic: string,
      partitions: array(int32),
    }).nullable(),
    timeoutMs: int32.or(60000),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16.from(1),
    replicaElectionResults: array({
      topic: string,
      partitionResult: array({
        partitionId: int32,
        errorCode: int16,
        errorMessage: string.nullable(),
      }),
    }),
  },
})

export type ElectLeadersRequest = RequestOf<typeof electLeadersApi>
export type ElectLeadersResponse = ResponseOf<typeof electLeadersApi>
