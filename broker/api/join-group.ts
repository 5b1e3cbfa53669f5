// JoinGroup, v0-v9: a member of a classic group joins, and waits until the group's next generation is formed.
//
// The answer comes when all members have joined or the rebalance timeout is over; a group that was empty waits for
// `group.initial.rebalance.delay.ms`. Joining changes nothing that is stored: a generation is, once its leader has assigned.
//   v1  rebalance timeout of its own (KIP-62)       v4  a new member must come back with its id (KIP-394)
//   v5  static members (KIP-345)                    v7  the protocol type is told (KIP-559)
//   v8  the reason is sent (KIP-800), and ignored   v9  a static leader may skip assigning (KIP-814)
// In a group that was upgraded to the new protocol (KIP-848) a join is a classic member's step towards its target.

import { joinRefused } from '../coordinator/classic/classic-change.ts'
import type { Groups } from '../coordinator/groups.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { joinGroupApi, type JoinGroupResponse } from '../protocol/messages/join-group.ts'
import type { HandlerOf } from './handler.ts'

export function joinGroup(groups: Groups): HandlerOf<typeof joinGroupApi> {
  return {
    api: joinGroupApi,

    async handle(request, call) {
      const { groupId, memberId, sessionTimeoutMs } = request
      const refuse = (code: number) => forVersion(joinRefused(memberId, code), call.version)
      if (groupId === '') return refuse(ErrorCode.INVALID_GROUP_ID)
      const { classicSessionTimeoutMsMin, classicSessionTimeoutMsMax } = groups.settings(groupId)
      if (sessionTimeoutMs < classicSessionTimeoutMsMin || sessionTimeoutMs > classicSessionTimeoutMsMax) {
        return refuse(ErrorCode.INVALID_SESSION_TIMEOUT)
      }
      const clientId = call.clientId ?? ''
      const answer = await groups.execute<JoinGroupResponse>(groupId, {
        kind: 'join',
        request,
        client: { clientId, clientHost: call.clientHost },
        newMemberId: groups.newMemberId(request.groupInstanceId ?? clientId),
        requiresMemberId: call.version >= 4,
        canSkipAssignment: call.version >= 9,
        // The group outlives the frame that these are views on.
        protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
      })
      return typeof answer === 'number' ? refuse(answer) : forVersion(answer, call.version)
    },

    refuse: (request, code) => ({ ...joinRefused(request.memberId, code), protocolName: '' }),
  }
}

/** Before v7 the protocol's name cannot be null. */
function forVersion(response: JoinGroupResponse, version: number): JoinGroupResponse {
  return version >= 7 || response.protocolName !== null ? response : { ...response, protocolName: '' }
}
