// SyncGroup, v0-v5: the leader of a classic group brings the assignments, and everybody else fetches its own.
//
// The answer comes when the leader has synced and the generation is in the table: from then on it survives this broker.
//   v3  static members (KIP-345)     v5  the protocol is checked (KIP-559)

import { syncRefused } from '../coordinator/classic/classic-change.ts'
import type { Groups } from '../coordinator/groups.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { syncGroupApi, type SyncGroupResponse } from '../protocol/messages/sync-group.ts'
import type { HandlerOf } from './handler.ts'

export function syncGroup(groups: Groups): HandlerOf<typeof syncGroupApi> {
  return {
    api: syncGroupApi,

    async handle(request, call) {
      if (request.groupId === '') return syncRefused(ErrorCode.INVALID_GROUP_ID)
      // Clients of v5 must say what they agreed on.
      const isVague = call.version >= 5 && (request.protocolType === null || request.protocolName === null)
      if (isVague) return syncRefused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
      const answer = await groups.execute<SyncGroupResponse>(request.groupId, { kind: 'sync', request })
      return typeof answer === 'number' ? syncRefused(answer) : answer
    },

    refuse: (_request, code) => syncRefused(code),
  }
}
