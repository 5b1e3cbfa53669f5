// Forgets a broker that does not come back (KIP-500).

import { api, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const unregisterBrokerApi = api({
  key: 64, name: 'UnregisterBroker', versions: [0, 0], flexible: 0,
  request: {
    brokerId: int32,
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    errorMessage: string.nullable(),
  },
})

export type UnregisterBrokerRequest = RequestOf<typeof unregisterBrokerApi>
export type UnregisterBrokerResponse = ResponseOf<typeof unregisterBrokerApi>
