// v1 brought a timeout of its own for rebalances (KIP-62), v4 sends a new member away once to come back with an id
// (KIP-394), v5 static members (KIP-345), v7 the protocol type in the answer (KIP-559), v8 the reason (KIP-800), v9
// leaders that need not assign (KIP-814).

import { api, array, bool, bytes, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const joinGroupApi = api({
  key: 11, name: 'JoinGroup', versions: [0, 9], flexible: 6,
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.or(-1).from(1),
    memberId: string,
    groupInstanceId: string.nullable().or(null).from(5),
    protocolType: string,
    protocols: array({
      name: string,
      metadata: bytes,
    }),
    reason: string.nullable().or(null).from(8),
  },
  response: {
    throttleTimeMs: int32.or(0).from(2),
    errorCode: int16,
    generationId: int32.or(-1),
    protocolType: string.nullable().or(null).from(7),
    protocolName: string.nullable(7),
    leader: string,
    skipAssignment: bool.or(false).from(9),
    memberId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable().or(null).from(5),
      metadata: bytes,
    }),
  },
})

export type JoinGroupRequest = RequestOf<typeof joinGroupApi>
export type JoinGroupResponse = ResponseOf<typeof joinGroupApi>
