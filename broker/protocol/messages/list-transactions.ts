// Which transactions a broker coordinates (KIP-664), those that run for longer than a while (v1, KIP-994), or whose ids
// match a pattern (v2, KIP-1152).

import { api, array, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const listTransactionsApi = api({
  key: 66, name: 'ListTransactions', versions: [0, 2], flexible: 0,
  request: {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64.or(-1).from(1),
    transactionalIdPattern: string.nullable(2).or(null).from(2),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array({
      transactionalId: string,
      producerId: int64,
      transactionState: string,
    }),
  },
})

export type ListTransactionsRequest = RequestOf<typeof listTransactionsApi>
export type ListTransactionsResponse = ResponseOf<typeof listTransactionsApi>
