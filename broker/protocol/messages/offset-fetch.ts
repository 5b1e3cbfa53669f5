// v2 can ask for everything (null) and fail as a whole, v5 brought leader epochs (KIP-320), v7 waits for open
// transactions (KIP-447), v8 several groups at a time (KIP-709). Members of the consumer protocol need v9 (KIP-848),
// from v10 topics go by id.

import { api, array, bool, int16, int32, int64, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const offsetFetchApi = api({
  key: 9, name: 'OffsetFetch', versions: [1, 10], flexible: 6,
  request: {
    groupId: string.to(7),
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    }).nullable(2, 7).to(7),
    groups: array({
      groupId: string,
      memberId: string.nullable().or(null).from(9),
      memberEpoch: int32.or(-1).from(9),
      topics: array({
        name: string.to(9),
        topicId: uuid.from(10),
        partitionIndexes: array(int32),
      }).nullable(),
    }).from(8),
    requireStable: bool.or(false).from(7),
  },
  response: {
    throttleTimeMs: int32.or(0).from(3),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.or(-1).from(5),
        metadata: string.nullable(),
        errorCode: int16,
      }),
    }).to(7),
    errorCode: int16.or(0).from(2).to(7),
    groups: array({
      groupId: string,
      topics: array({
        name: string.to(9),
        topicId: uuid.from(10),
        partitions: array({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: int32.or(-1),
          metadata: string.nullable(),
          errorCode: int16,
        }),
      }),
      errorCode: int16.or(0),
    }).from(8),
  },
})

export type OffsetFetchRequest = RequestOf<typeof offsetFetchApi>
export type OffsetFetchResponse = ResponseOf<typeof offsetFetchApi>
