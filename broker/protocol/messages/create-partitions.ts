// Grows topics (KIP-195). v3 may refuse by quota (KIP-599).

import { api, array, bool, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const createPartitionsApi = api({
  key: 37, name: 'CreatePartitions', versions: [0, 3], flexible: 2,
  request: {
    topics: array({
      name: string,
      count: int32,
      assignments: array({
        brokerIds: array(int32),
      }).nullable(),
    }),
    timeoutMs: int32,
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.or(0),
    results: array({
      name: string,
      errorCode: int16,
      errorMessage: string.nullable().or(null),
    }),
  },
})

export type CreatePartitionsRequest = RequestOf<typeof createPartitionsApi>
export type CreatePartitionsResponse = ResponseOf<typeof createPartitionsApi>
