// What a client asks first, before it knows anything, so the response header keeps its first form for ever, and a
// version that we do not know is answered in v0 (KIP-511). v3 tells us the client's name and brought features
// (KIP-584); v4 lets a feature begin at 0 (KAFKA-17011).

import { api, array, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const apiVersionsApi = api({
  key: 18, name: 'ApiVersions', versions: [0, 4], flexible: 3,
  request: {
    clientSoftwareName: string.from(3),
    clientSoftwareVersion: string.from(3),
  },
  response: {
    errorCode: int16,
    apiKeys: array({
      apiKey: int16,
      minVersion: int16,
      maxVersion: int16,
    }),
    throttleTimeMs: int32.or(0).from(1),
    supportedFeatures: array({
      name: string,
      minVersion: int16,
      maxVersion: int16,
    }).from(3).tagged(0, 3),
    finalizedFeaturesEpoch: int64.or(-1).from(3).tagged(1, 3),
    finalizedFeatures: array({
      name: string,
      maxVersionLevel: int16,
      minVersionLevel: int16,
    }).from(3).tagged(2, 3),
    zkMigrationReady: bool.or(false).from(3).tagged(3, 3),
  },
})

export type ApiVersionsRequest = RequestOf<typeof apiVersionsApi>
export type ApiVersionsResponse = ResponseOf<typeof apiVersionsApi>
