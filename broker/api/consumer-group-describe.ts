// ConsumerGroupDescribe, v0-v1 (KIP-848): consumer groups, their epochs, and what each member has and is to have.
//
//   v1  the kind of each member (KIP-1099)
// Groups of another type are not found here.

import { type Assignment, emptyAssignment, union } from '../coordinator/consumer/assignment.ts'
import { type ConsumerGroup, type ConsumerMember, revokingOf, stateOf } from '../coordinator/consumer/consumer-group.ts'
import { preferredAssignor } from '../coordinator/consumer/target.ts'
import type { Groups } from '../coordinator/groups.ts'
import type { Topics } from '../coordinator/topics.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { consumerGroupDescribeApi, type ConsumerGroupDescribeResponse } from '../protocol/messages/consumer-group-describe.ts'
import { allGroupOperations, notAsked } from './authorized-operations.ts'
import type { HandlerOf } from './handler.ts'

type Answer = ConsumerGroupDescribeResponse['groups'][number]
type MemberAnswer = Answer['members'][number]

/** What a member speaks (KIP-1099). */
const memberTypes = { classic: 0, consumer: 1 } as const

export function consumerGroupDescribe(groups: Groups): HandlerOf<typeof consumerGroupDescribeApi> {
  return {
    api: consumerGroupDescribeApi,

    async handle({ groupIds, includeAuthorizedOperations }) {
      const authorizedOperations = includeAuthorizedOperations ? allGroupOperations : notAsked
      const describe = async (groupId: string): Promise<Answer> => {
        if (groupId === '') return refused(groupId, ErrorCode.INVALID_GROUP_ID)
        const group = await groups.look(groupId)
        if (typeof group === 'number') return refused(groupId, group)
        if (group.membership?.kind === 'consumer') return { ...described(groupId, group.membership, groups.topics), authorizedOperations }
        const errorMessage = group.membership === undefined
          ? `there is no group ${groupId}`
          : `the group ${groupId} is not a consumer group`
        return { ...refused(groupId, ErrorCode.GROUP_ID_NOT_FOUND), errorMessage }
      }
      return { groups: await Promise.all(groupIds.map(describe)) }
    },

    refuse: ({ groupIds }, code) => ({ groups: groupIds.map((groupId) => refused(groupId, code)) }),
  }
}

function refused(groupId: string, errorCode: number): Answer {
  return { errorCode, groupId, groupState: '', groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }
}

function described(groupId: string, group: ConsumerGroup, topics: Topics): Answer {
  return {
    errorCode: ErrorCode.NONE,
    groupId,
    groupState: stateOf(group),
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: preferredAssignor(group).name,
    members: [...group.members.values()].map((member) => {
      const target = group.targets.get(member.memberId) ?? emptyAssignment
      // What a member has still to give up counts as its own: nobody else may have it.
      const assignment = union(member.assigned, revokingOf(member))
      return { ...describedMember(member), assignment: named(assignment, topics), targetAssignment: named(target, topics) }
    }),
  }
}

function describedMember(member: ConsumerMember): Omit<MemberAnswer, 'assignment' | 'targetAssignment'> {
  return {
    memberId: member.memberId,
    instanceId: member.instanceId ?? null,
    rackId: member.rackId ?? null,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: member.topicNames,
    subscribedTopicRegex: member.topicRegex ?? '',
    memberType: member.classic === undefined ? memberTypes.consumer : memberTypes.classic,
  }
}

/** Topics that are gone have no name to be told by. */
function named(assignment: Assignment, topics: Topics): MemberAnswer['assignment'] {
  return {
    topicPartitions: [...assignment].flatMap(([topicId, partitions]) => {
      const topicName = topics.byId(topicId)?.name
      return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
    }),
  }
}
