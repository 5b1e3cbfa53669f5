// v5 says why and may refuse by quota (KIP-599). v6 addresses topics by name or id (KIP-516), so both lists are
// declared.

import { api, array, int16, int32, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const deleteTopicsApi = api({
  key: 20, name: 'DeleteTopics', versions: [1, 6], flexible: 4,
  request: {
    topics: array({
      name: string.nullable().or(null),
      topicId: uuid,
    }).from(6),
    topicNames: array(string).to(5),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.or(0),
    responses: array({
      name: string.nullable(6),
      topicId: uuid.from(6),
      errorCode: int16,
      errorMessage: string.nullable().or(null).from(5),
    }),
  },
})

export type DeleteTopicsRequest = RequestOf<typeof deleteTopicsApi>
export type DeleteTopicsResponse = ResponseOf<typeof deleteTopicsApi>
