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
