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
