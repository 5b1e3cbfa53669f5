// v1 also finds transaction coordinators (KIP-98), v4 several at a time (KIP-699), v5 may abort a transaction
// (KIP-890), v6 knows share groups (KIP-932).

import { api, array, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const findCoordinatorApi = api({
  key: 10, name: 'FindCoordinator', versions: [0, 6], flexible: 3,
  request: {
    key: string.to(3),
    keyType: int8.or(0).from(1),
    coordinatorKeys: array(string).from(4),
  },
  response: {
    throttleTimeMs: int32.or(0).from(1),
    errorCode: int16.to(3),
    errorMessage: string.nullable(0, 3).from(1).to(3),
    nodeId: int32.to(3),
    host: string.to(3),
    port: int32.to(3),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.nullable(),
    }).from(4),
  },
})

export type FindCoordinatorRequest = RequestOf<typeof findCoordinatorApi>
export type FindCoordinatorResponse = ResponseOf<typeof findCoordinatorApi>
