// Commits or aborts a transaction (KIP-98). From v5 on every transaction has an epoch of its own, and the answer carries
// what the next one goes on with (KIP-890).

import { api, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const endTxnApi = api({
  key: 26, name: 'EndTxn', versions: [0, 5], flexible: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    producerId: int64.or(-1).from(5),
    producerEpoch: int16.or(-1).from(5),
  },
})

export type EndTxnRequest = RequestOf<typeof endTxnApi>
export type EndTxnResponse = ResponseOf<typeof endTxnApi>
