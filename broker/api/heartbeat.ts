// Heartbeat, v0-v4: a member of a classic group is alive, and learns whether it has to join again.
//
// Kept in memory alone: it never waits for the table, lest a slow table cause rebalances.
//   v3  static members (KIP-345)

import type { Groups } from '../coordinator/groups.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { heartbeatApi, type HeartbeatResponse } from '../protocol/messages/heartbeat.ts'
import type { HandlerOf } from './handler.ts'

export function heartbeat(groups: Groups): HandlerOf<typeof heartbeatApi> {
  return {
    api: heartbeatApi,

    async handle(request) {
      if (request.groupId === '') return { errorCode: ErrorCode.INVALID_GROUP_ID }
      const answer = await groups.execute<HeartbeatResponse>(request.groupId, { kind: 'heartbeat', request })
      if (typeof answer !== 'number') return answer
      // Clients take this code for fatal here; while the group is being loaded nobody's session runs.
      return { errorCode: answer === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : answer }
    },

    refuse: (_request, errorCode) => ({ errorCode }),
  }
}
