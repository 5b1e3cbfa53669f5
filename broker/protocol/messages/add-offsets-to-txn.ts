// Makes the offsets of a group part of a transaction (KIP-98). Clients of transaction version 2 leave it out: the group's
// coordinator asks for them (KIP-890).

import { api, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const addOffsetsToTxnApi = api({
  key: 25, name: 'AddOffsetsToTxn', versions: [0, 4], flexible: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
  },
})

export type AddOffsetsToTxnRequest = RequestOf<typeof addOffsetsToTxnApi>
export type AddOffsetsToTxnResponse = ResponseOf<typeof addOffsetsToTxnApi>
