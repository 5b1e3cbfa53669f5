// FindCoordinator, v0-v6: which broker a group or a transactional id belongs to.
//
//   v1  transactions (KIP-98)     v4  many keys (KIP-699)     v6  share groups (KIP-932), which are not served

import { type CoordinatorDirectory, type CoordinatorKind, type CoordinatorNode, shardOf } from '../coordinator/directory.ts'
import { ErrorCode, errorName } from '../protocol/error-code.ts'
import { findCoordinatorApi, type FindCoordinatorResponse } from '../protocol/messages/find-coordinator.ts'
import type { HandlerOf } from './handler.ts'

const kinds: ReadonlyMap<number, CoordinatorKind> = new Map([[0, 'group'], [1, 'transaction']])

const nobody: CoordinatorNode = { nodeId: -1, host: '', port: -1 }

export function findCoordinator(directory: CoordinatorDirectory): HandlerOf<typeof findCoordinatorApi> {
  return {
    api: findCoordinatorApi,

    handle(request, { version }) {
      const keys = version >= 4 ? request.coordinatorKeys : [request.key]
      return response(keys.map((key) => ({ key, found: find(directory, request.keyType, key) })), version)
    },

    refuse: (request, code) => ({
      ...response([{ key: '', found: code }], 0),
      coordinators: request.coordinatorKeys.map((key) => coordinator(key, code)),
    }),
  }
}

type Found = CoordinatorNode | number

function find(directory: CoordinatorDirectory, keyType: number, key: string): Found {
  const kind = kinds.get(keyType)
  return kind === undefined ? ErrorCode.INVALID_REQUEST : directory.ownerOf(kind, shardOf(key))
}

function coordinator(key: string, found: Found): NonNullable<FindCoordinatorResponse['coordinators']>[number] {
  const isFound = typeof found !== 'number'
  const { nodeId, host, port } = isFound ? found : nobody
  return {
    key, nodeId, host, port,
    errorCode: isFound ? ErrorCode.NONE : found,
    errorMessage: isFound ? '' : errorName(found),
  }
}

function response(found: readonly { readonly key: string; readonly found: Found }[], version: number): FindCoordinatorResponse {
  const coordinators = found.map((one) => coordinator(one.key, one.found))
  const { key: _, ...first } = coordinators[0] ?? coordinator('', ErrorCode.INVALID_REQUEST)
  return version >= 4 ? { ...first, coordinators } : { ...first, coordinators: [] }
}
