// v2 brought isolation (KIP-98), v4 leader epochs (KIP-320). Negative timestamps are questions: -1 latest, -2 earliest,
// -3 of the largest timestamp (v7, KIP-734), -4 earliest local (v8, KIP-405), -5 latest tiered (v9, KIP-1005), -6
// earliest that waits for upload (v11, KIP-1023). v10 may wait for the tier (KIP-1075).

import { api, array, int16, int32, int64, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const listOffsetsApi = api({
  key: 2, name: 'ListOffsets', versions: [1, 11], flexible: 6,
  request: {
    replicaId: int32,
    isolationLevel: int8.from(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.or(-1).from(4),
        timestamp: int64,
      }),
    }),
    timeoutMs: int32.from(10),
  },
  response: {
    throttleTimeMs: int32.or(0).from(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        timestamp: int64.or(-1),
        offset: int64.or(-1),
        leaderEpoch: int32.or(-1).from(4),
      }),
    }),
  },
})

export type ListOffsetsRequest = RequestOf<typeof listOffsetsApi>
export type ListOffsetsResponse = ResponseOf<typeof listOffsetsApi>
