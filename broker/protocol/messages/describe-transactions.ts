// How transactions stand, for those who operate them (KIP-664).

import { api, array, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const describeTransactionsApi = api({
  key: 65, name: 'DescribeTransactions', versions: [0, 0], flexible: 0,
  request: {
    transactionalIds: array(string),
  },
  response: {
    throttleTimeMs: int32.or(0),
    transactionStates: array({
      errorCode: int16,
      transactionalId: string,
      transactionState: string,
      transactionTimeoutMs: int32,
      transactionStartTimeMs: int64,
      producerId: int64,
      producerEpoch: int16,
      topics: array({
        topic: string,
        partitions: array(int32),
      }),
    }),
  },
})

export type DescribeTransactionsRequest = RequestOf<typeof describeTransactionsApi>
export type DescribeTransactionsResponse = ResponseOf<typeof describeTransactionsApi>
