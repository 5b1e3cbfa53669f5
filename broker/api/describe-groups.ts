// DescribeGroups, v0-v6: classic groups and their members.
//
// What members subscribe to and own is told while the group is stable; a group that does not exist is Dead.
//   v3  authorised operations (KIP-430)     v4  static members (KIP-345)
//   v6  GROUP_ID_NOT_FOUND with a message instead of a Dead group (KIP-1043)
// Groups of the new protocol are described by ConsumerGroupDescribe, and are not found here.

import { type ClassicGroup, type ClassicMember, metadataOf, noAssignment } from '../coordinator/classic/classic-group.ts'
import type { Groups } from '../coordinator/groups.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { describeGroupsApi, type DescribeGroupsResponse } from '../protocol/messages/describe-groups.ts'
import { allGroupOperations, notAsked } from './authorized-operations.ts'
import type { HandlerOf } from './handler.ts'

type Answer = DescribeGroupsResponse['groups'][number]

export function describeGroups(groups: Groups): HandlerOf<typeof describeGroupsApi> {
  return {
    api: describeGroupsApi,

    async handle(request, { version }) {
      const authorizedOperations = request.includeAuthorizedOperations ? allGroupOperations : notAsked
      const describe = async (groupId: string): Promise<Answer> => {
        const group = await groups.look(groupId)
        if (typeof group === 'number') return refused(groupId, group)
        const { membership } = group
        if (membership?.kind === 'classic') return { ...described(groupId, membership), authorizedOperations }
        const errorMessage = membership === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a classic group.`
        const dead = { ...refused(groupId, ErrorCode.NONE), groupState: 'Dead' }
        return version >= 6 ? { ...dead, errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage } : { ...dead, authorizedOperations }
      }
      return { groups: await Promise.all(request.groups.map(describe)) }
    },

    refuse: (request, code) => ({ groups: request.groups.map((groupId) => refused(groupId, code)) }),
  }
}

function refused(groupId: string, errorCode: number): Answer {
  return { errorCode, groupId, groupState: '', protocolType: '', protocolData: '', members: [] }
}

function described(groupId: string, group: ClassicGroup): Answer {
  const isStable = group.phase.state === 'Stable'
  return {
    errorCode: ErrorCode.NONE,
    groupId,
    groupState: group.phase.state,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? group.protocol ?? '' : '',
    members: [...group.members.values()].map((member) => describedMember(member, isStable ? group.protocol : undefined)),
  }
}

function describedMember(member: ClassicMember, protocol: string | undefined): Answer['members'][number] {
  const { memberId, instanceId, clientId, clientHost, assignment } = member
  return {
    memberId, groupInstanceId: instanceId ?? null, clientId, clientHost,
    memberMetadata: protocol === undefined ? noAssignment : metadataOf(member, protocol),
    memberAssignment: assignment,
  }
}
