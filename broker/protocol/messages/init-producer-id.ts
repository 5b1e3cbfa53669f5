// Gives out producer ids and epochs (KIP-98). v3 lets a producer go on with the id it has, under a higher epoch
// (KIP-360), v4 answers PRODUCER_FENCED (KIP-588), v5 TRANSACTION_ABORTABLE (KIP-890).

import { api, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const initProducerIdApi = api({
  key: 22, name: 'InitProducerId', versions: [0, 5], flexible: 2,
  request: {
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.or(-1).from(3),
    producerEpoch: int16.or(-1).from(3),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    producerId: int64.or(-1),
    producerEpoch: int16,
  },
})

export type InitProducerIdRequest = RequestOf<typeof initProducerIdApi>
export type InitProducerIdResponse = ResponseOf<typeof initProducerIdApi>
