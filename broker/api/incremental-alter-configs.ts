// IncrementalAlterConfigs, v0-v1 (KIP-339): sets, unsets, appends to and subtracts from single settings.

import type { ConfigEdit, ConfigOperation } from '../cluster/config-changes.ts'
import { incrementalAlterConfigsApi } from '../protocol/messages/incremental-alter-configs.ts'
import { carryOut } from './config-edits.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

/** By the protocol's code. */
const operations: readonly ConfigOperation[] = ['set', 'delete', 'append', 'subtract']

export function incrementalAlterConfigs(context: ClusterContext): HandlerOf<typeof incrementalAlterConfigsApi> {
  return {
    api: incrementalAlterConfigsApi,

    handle: async (request) => ({
      responses: await carryOut(context, request, (_image, _resource, index) => {
        const edits: ConfigEdit[] = []
        for (const { name, configOperation, value } of request.resources[index]!.configs) {
          const operation = operations[configOperation]
          if (operation === undefined) return undefined
          edits.push({ name, operation, value })
        }
        return edits
      }),
    }),

    refuse: (request, code) => ({
      responses: request.resources.map(({ resourceType, resourceName }) => ({
        errorCode: code, errorMessage: null, resourceType, resourceName,
      })),
    }),
  }
}
