// AlterConfigs, v0-v2: what is given becomes all that is set. Deprecated by IncrementalAlterConfigs (KIP-339), because
// two tools that use it undo each other's work.

import { editsToReplace } from '../cluster/config-changes.ts'
import { alterConfigsApi } from '../protocol/messages/alter-configs.ts'
import { carryOut } from './config-edits.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

export function alterConfigs(context: ClusterContext): HandlerOf<typeof alterConfigsApi> {
  return {
    api: alterConfigsApi,

    handle: async (request) => ({
      responses: await carryOut(context, request, (image, resource, index) => {
        const given = request.resources[index]!.configs
        return editsToReplace(image, resource, new Map(given.map(({ name, value }) => [name, value])))
      }),
    }),

    refuse: (request, code) => ({
      responses: request.resources.map(({ resourceType, resourceName }) => ({
        errorCode: code, errorMessage: null, resourceType, resourceName,
      })),
    }),
  }
}
