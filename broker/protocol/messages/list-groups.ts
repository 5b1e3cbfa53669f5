// v4 filters by state (KIP-518), v5 by the group's type (KIP-848).

import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const listGroupsApi = api({
  key: 16, name: 'ListGroups', versions: [0, 5], flexible: 3,
  request: {
    statesFilter: array(string).from(4),
    typesFilter: array(string).from(5),
  },
  response: {
    throttleTimeMs: int32.or(0).from(1),
    errorCode: int16,
    groups: array({
      groupId: string,
      protocolType: string,
      groupState: string.from(4),
      groupType: string.from(5),
    }),
  },
})

export type ListGroupsRequest = RequestOf<typeof listGroupsApi>
export type ListGroupsResponse = ResponseOf<typeof listGroupsApi>
