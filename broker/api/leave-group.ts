// LeaveGroup, v0-v5: members leave a classic group, which then rebalances.
//
//   v3  many members at once, static ones by their instance id alone (KIP-345)     v5  the reason is sent, and ignored (KIP-800)

import type { Groups } from '../coordinator/groups.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { leaveGroupApi, type LeaveGroupResponse } from '../protocol/messages/leave-group.ts'
import type { HandlerOf } from './handler.ts'

export function leaveGroup(groups: Groups): HandlerOf<typeof leaveGroupApi> {
  return {
    api: leaveGroupApi,

    async handle(request, call) {
      if (request.groupId === '') return refused(ErrorCode.INVALID_GROUP_ID)
      const members = call.version >= 3 ? request.members : [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
      const answer = await groups.execute<LeaveGroupResponse>(request.groupId, { kind: 'leave', members })
      if (typeof answer === 'number') return refused(answer)
      return call.version >= 3 ? answer : refused(answer.members[0]!.errorCode)
    },

    refuse: (_request, code) => refused(code),
  }
}

function refused(errorCode: number): LeaveGroupResponse {
  return { errorCode, members: [] }
}
