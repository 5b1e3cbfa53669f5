// Groups of the classic protocol. v3 brought authorized operations (KIP-430), v4 static members (KIP-345); v6 answers
// GROUP_ID_NOT_FOUND instead of a dead group (KIP-1043).

import { api, array, bool, bytes, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const describeGroupsApi = api({
  key: 15, name: 'DescribeGroups', versions: [0, 6], flexible: 5,
  request: {
    groups: array(string),
    includeAuthorizedOperations: bool.from(3),
  },
  response: {
    throttleTimeMs: int32.or(0).from(1),
    groups: array({
      errorCode: int16,
      errorMessage: string.nullable().or(null).from(6),
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string,
      members: array({
        memberId: string,
        groupInstanceId: string.nullable().or(null).from(4),
        clientId: string,
        clientHost: string,
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: int32.or(-2147483648).from(3),
    }),
  },
})

export type DescribeGroupsRequest = RequestOf<typeof describeGroupsApi>
export type DescribeGroupsResponse = ResponseOf<typeof describeGroupsApi>
