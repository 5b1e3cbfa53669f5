// Where an epoch ended: what a consumer or follower truncates by (KIP-101, KIP-279). v2 fences by the current epoch
// (KIP-320), v3 brought the replica's id (KIP-392).

import { api, array, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const offsetForLeaderEpochApi = api({
  key: 23, name: 'OffsetForLeaderEpoch', versions: [2, 4], flexible: 4,
  request: {
    replicaId: int32.or(-2).from(3),
    topics: array({
      topic: string,
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.or(-1),
        leaderEpoch: int32,
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.or(0),
    topics: array({
      topic: string,
      partitions: array({
        errorCode: int16,
        partition: int32,
        leaderEpoch: int32.or(-1),
        endOffset: int64.or(-1),
      }),
    }),
  },
})

export type OffsetForLeaderEpochRequest = RequestOf<typeof offsetForLeaderEpochApi>
export type OffsetForLeaderEpochResponse = ResponseOf<typeof offsetForLeaderEpochApi>
