// Groups of the consumer protocol, with members, epochs and both assignments (KIP-848). v1 says which protocol a member
// speaks (KIP-1099).

import { api, array, bool, int16, int32, int8, string, struct, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

const topicPartitions = {
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
}

const assignment = {
  topicPartitions: array(topicPartitions),
}

export const consumerGroupDescribeApi = api({
  key: 69, name: 'ConsumerGroupDescribe', versions: [0, 1], flexible: 0,
  request: {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
  response: {
    throttleTimeMs: int32.or(0),
    groups: array({
      errorCode: int16,
      errorMessage: string.nullable().or(null),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      assignorName: string,
      members: array({
        memberId: string,
        instanceId: string.nullable().or(null),
        rackId: string.nullable().or(null),
        memberEpoch: int32,
        clientId: string,
        clientHost: string,
        subscribedTopicNames: array(string),
        subscribedTopicRegex: string.nullable().or(null),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        memberType: int8.or(-1).from(1),
      }),
      authorizedOperations: int32.or(-2147483648),
    }),
  },
})

export type ConsumerGroupDescribeRequest = RequestOf<typeof consumerGroupDescribeApi>
export type ConsumerGroupDescribeResponse = ResponseOf<typeof consumerGroupDescribeApi>
