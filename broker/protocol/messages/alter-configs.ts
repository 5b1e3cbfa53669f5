// Replaces the whole configuration of a resource, which is why clients moved on to IncrementalAlterConfigs (KIP-339).
// v1 tells throttled clients at once (KIP-219).

import { api, array, bool, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const alterConfigsApi = api({
  key: 33, name: 'AlterConfigs', versions: [0, 2], flexible: 2,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.nullable(),
      }),
    }),
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.or(0),
    responses: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      resourceType: int8,
      resourceName: string,
    }),
  },
})

export type AlterConfigsRequest = RequestOf<typeof alterConfigsApi>
export type AlterConfigsResponse = ResponseOf<typeof alterConfigsApi>
