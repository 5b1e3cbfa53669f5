// ListConfigResources, v0-v1 (KIP-1142; v0 was ListClientMetricsResources): what has or can have settings.

import { ErrorCode } from '../protocol/error-code.ts'
import { listConfigResourcesApi, type ListConfigResourcesResponse } from '../protocol/messages/list-config-resources.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'
import { resourceCode } from './config-resources.ts'

type Listed = ListConfigResourcesResponse['configResources'][number]

/** Client metrics and broker loggers: known kinds, of which we have none. */
const emptyKinds = [16, 8]

export function listConfigResources(context: ClusterContext): HandlerOf<typeof listConfigResourcesApi> {
  return {
    api: listConfigResourcesApi,

    handle(request, call) {
      const known: number[] = [...Object.values(resourceCode), ...emptyKinds]
      const asked = call.version === 0 ? [16] : request.resourceTypes.length > 0 ? request.resourceTypes : known
      if (asked.some((code) => !known.includes(code))) return { errorCode: ErrorCode.UNSUPPORTED_VERSION, configResources: [] }
      return { errorCode: ErrorCode.NONE, configResources: [...new Set(asked)].flatMap((code) => list(context, code)) }
    },

    refuse: (_request, code) => ({ errorCode: code, configResources: [] }),
  }
}

function list(context: ClusterContext, code: number): Listed[] {
  return namesOf(context, code).map((resourceName) => ({ resourceName, resourceType: code }))
}

function namesOf({ image }: ClusterContext, code: number): string[] {
  if (code === resourceCode.topic) return [...image.topicIds.keys()]
  if (code === resourceCode.broker) return [...image.brokers.keys()].map(String)
  if (code !== resourceCode.group) return []
  return [...image.configs.keys()].filter((key) => key.startsWith('group:')).map((key) => key.slice('group:'.length))
}
