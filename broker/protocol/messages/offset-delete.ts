// Forgets single offsets of a group (KIP-496). Never became flexible.

import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const offsetDeleteApi = api({
  key: 47, name: 'OffsetDelete', versions: [0, 0], flexible: Infinity,
  request: {
    groupId: string,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
      }),
    }),
  },
  response: {
    errorCode: int16,
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

export type OffsetDeleteRequest = RequestOf<typeof offsetDeleteApi>
export type OffsetDeleteResponse = ResponseOf<typeof offsetDeleteApi>
