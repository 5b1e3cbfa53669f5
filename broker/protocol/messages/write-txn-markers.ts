// From a transaction's coordinator to the leaders of its partitions, and from whoever ends a hanging one: how it ended
// (KIP-98). v2 says by which rules its epochs go (KIP-1228).

import { api, array, bool, int16, int32, int64, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const writeTxnMarkersApi = api({
  key: 27, name: 'WriteTxnMarkers', versions: [1, 2], flexible: 1,
  request: {
    markers: array({
      producerId: int64,
      producerEpoch: int16,
      transactionResult: bool,
      topics: array({
        name: string,
        partitionIndexes: array(int32),
      }),
      coordinatorEpoch: int32,
      transactionVersion: int8.or(0).from(2),
    }),
  },
  response: {
    markers: array({
      producerId: int64,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          errorCode: int16,
        }),
      }),
    }),
  },
})

export type WriteTxnMarkersRequest = RequestOf<typeof writeTxnMarkersApi>
export type WriteTxnMarkersResponse = ResponseOf<typeof writeTxnMarkersApi>
