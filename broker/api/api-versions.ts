// ApiVersions, v0-v4 (KIP-35, KIP-511): which APIs this broker serves, at which versions. Derived from the handlers, so
// what is not served is not advertised.
//
// A version that we do not know is answered by the router in the form of v0, so that a newer client can come down to us.
//   v3  the client's software, features (KIP-584)     v4  features whose range starts at 0

import { ErrorCode } from '../protocol/error-code.ts'
import { internalKeysStart } from '../protocol/internal/metadata-hint.ts'
import { apiVersionsApi, type ApiVersionsResponse } from '../protocol/messages/api-versions.ts'
import type { Api } from '../protocol/schema.ts'
import type { HandlerOf } from './handler.ts'

/** What KIP-511 asks of a client's software name and version. */
const legalSoftware = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export function apiVersions(served: () => readonly Api[]): HandlerOf<typeof apiVersionsApi> {
  return {
    api: apiVersionsApi,

    handle(request, call) {
      if (call.version >= 3 && !(legalSoftware.test(request.clientSoftwareName) && legalSoftware.test(request.clientSoftwareVersion))) {
        return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [] }
      }
      return advertise(served(), { errorCode: ErrorCode.NONE, version: call.version })
    },

    refuse: (_request, code) => ({ errorCode: code, apiKeys: [] }),
  }
}

/** Also the answer to a version that we do not know: it lists what we do. */
export function advertise(apis: readonly Api[], options: { readonly errorCode: number; readonly version: number }): ApiVersionsResponse {
  // Clients that ask with v3 fail on a feature whose range starts at 0.
  const minVersion = options.version >= 4 ? 0 : 1
  return {
    errorCode: options.errorCode,
    apiKeys: apis
      .filter(({ key }) => key < internalKeysStart)
      .map(({ key, versions }) => ({ apiKey: key, minVersion: versions.start, maxVersion: versions.end }))
      .sort((one, other) => one.apiKey - other.apiKey),
    supportedFeatures: features.map(({ name, maxVersion }) => ({ name, minVersion, maxVersion })),
    finalizedFeaturesEpoch: 0,
    finalizedFeatures: features.map(({ name, maxVersion }) => ({ name, maxVersionLevel: maxVersion, minVersionLevel: maxVersion })),
  }
}

/** `group.version` 1: KIP-848 groups. `transaction.version` 2: an epoch for each transaction (KIP-890). */
const features = [{ name: 'group.version', maxVersion: 1 }, { name: 'transaction.version', maxVersion: 2 }]
