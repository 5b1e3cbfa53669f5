// v5 dropped the retention that a client could choose (KIP-211), v6 brought leader epochs (KIP-320), v7 static members
// (KIP-345). Members of the consumer protocol need v9 (KIP-848), from v10 topics go by id.

import { api, array, int16, int32, int64, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const offsetCommitApi = api({
  key: 8, name: 'OffsetCommit', versions: [2, 10], flexible: 8,
  request: {
    groupId: string,
    generationIdOrMemberEpoch: int32.or(-1),
    memberId: string,
    groupInstanceId: string.nullable().or(null).from(7),
    retentionTimeMs: int64.or(-1).to(4),
    topics: array({
      name: string.to(9),
      topicId: uuid.from(10),
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.or(-1).from(6),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.or(0).from(3),
    topics: array({
      name: string.to(9),
      topicId: uuid.from(10),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
})

export type OffsetCommitRequest = RequestOf<typeof offsetCommitApi>
export type OffsetCommitResponse = ResponseOf<typeof offsetCommitApi>
