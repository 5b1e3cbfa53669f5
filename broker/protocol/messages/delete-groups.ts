// Forgets empty groups with their offsets (KIP-229).

import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const deleteGroupsApi = api({
  key: 42, name: 'DeleteGroups', versions: [0, 2], flexible: 2,
  request: {
    groupsNames: array(string),
  },
  response: {
    throttleTimeMs: int32.or(0),
    results: array({
      groupId: string,
      errorCode: int16,
    }),
  },
})

export type DeleteGroupsRequest = RequestOf<typeof deleteGroupsApi>
export type DeleteGroupsResponse = ResponseOf<typeof deleteGroupsApi>
