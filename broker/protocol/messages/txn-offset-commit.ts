// Offsets that count once their transaction is committed (KIP-98). v3 brought the member that they are committed for
// (KIP-447), v5 puts the group into the transaction as well (KIP-890).

import { api, array, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const txnOffsetCommitApi = api({
  key: 28, name: 'TxnOffsetCommit', versions: [0, 5], flexible: 3,
  request: {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationId: int32.or(-1).from(3),
    memberId: string.or('').from(3),
    groupInstanceId: string.nullable(3).or(null).from(3),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.or(-1).from(2),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.or(0),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
})

export type TxnOffsetCommitRequest = RequestOf<typeof txnOffsetCommitApi>
export type TxnOffsetCommitResponse = ResponseOf<typeof txnOffsetCommitApi>
