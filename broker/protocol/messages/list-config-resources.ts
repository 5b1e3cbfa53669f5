// v0 lists client metrics subscriptions alone (KIP-714), v1 every kind of resource (KIP-1142).

import { api, array, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const listConfigResourcesApi = api({
  key: 74, name: 'ListConfigResources', versions: [0, 1], flexible: 0,
  request: {
    resourceTypes: array(int8).from(1),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    configResources: array({
      resourceName: string,
      resourceType: int8.or(16).from(1),
    }),
  },
})

export type ListConfigResourcesRequest = RequestOf<typeof listConfigResourcesApi>
export type ListConfigResourcesResponse = ResponseOf<typeof listConfigResourcesApi>
