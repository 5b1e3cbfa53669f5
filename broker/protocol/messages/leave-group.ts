// v3 lets several members leave at once, static ones too (KIP-345), v5 says why (KIP-800).

import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const leaveGroupApi = api({
  key: 13, name: 'LeaveGroup', versions: [0, 5], flexible: 4,
  request: {
    groupId: string,
    memberId: string.to(2),
    members: array({
      memberId: string,
      groupInstanceId: string.nullable().or(null),
      reason: string.nullable().or(null).from(5),
    }).from(3),
  },
  response: {
    throttleTimeMs: int32.or(0).from(1),
    errorCode: int16,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable(),
      errorCode: int16,
    }).from(3),
  },
})

export type LeaveGroupRequest = RequestOf<typeof leaveGroupApi>
export type LeaveGroupResponse = ResponseOf<typeof leaveGroupApi>
