// v3 brought static members (KIP-345), v5 the protocol's type and name, so that a mix-up is noticed (KIP-559).

import { api, array, bytes, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const syncGroupApi = api({
  key: 14, name: 'SyncGroup', versions: [0, 5], flexible: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable().or(null).from(3),
    protocolType: string.nullable().or(null).from(5),
    protocolName: string.nullable().or(null).from(5),
    assignments: array({
      memberId: string,
      assignment: bytes,
    }),
  },
  response: {
    throttleTimeMs: int32.or(0).from(1),
    errorCode: int16,
    protocolType: string.nullable().or(null).from(5),
    protocolName: string.nullable().or(null).from(5),
    assignment: bytes,
  },
})

export type SyncGroupRequest = RequestOf<typeof syncGroupApi>
export type SyncGroupResponse = ResponseOf<typeof syncGroupApi>
