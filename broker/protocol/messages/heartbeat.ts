// v3 brought static members (KIP-345).

import { api, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const heartbeatApi = api({
  key: 12, name: 'Heartbeat', versions: [0, 4], flexible: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable().or(null).from(3),
  },
  response: {
    throttleTimeMs: int32.or(0).from(1),
    errorCode: int16,
  },
})

export type HeartbeatRequest = RequestOf<typeof heartbeatApi>
export type HeartbeatResponse = ResponseOf<typeof heartbeatApi>
