// The one request of the consumer protocol: join, stay, acknowledge and leave (KIP-848). Null, or -1 for numbers, means
// unchanged. v1 brought subscription by pattern, and member ids that clients make themselves (KIP-1082).

import { api, array, int16, int32, string, struct, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

const topicPartitions = {
  topicId: uuid,
  partitions: array(int32),
}

export const consumerGroupHeartbeatApi = api({
  key: 68, name: 'ConsumerGroupHeartbeat', versions: [0, 1], flexible: 0,
  request: {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    instanceId: string.nullable().or(null),
    rackId: string.nullable().or(null),
    rebalanceTimeoutMs: int32.or(-1),
    subscribedTopicNames: array(string).nullable().or(null),
    subscribedTopicRegex: string.nullable().or(null).from(1),
    serverAssignor: string.nullable().or(null),
    topicPartitions: array(topicPartitions).nullable().or(null),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    errorMessage: string.nullable().or(null),
    memberId: string.nullable().or(null),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: struct({
      topicPartitions: array(topicPartitions),
    }).nullable().or(null),
  },
})

export type ConsumerGroupHeartbeatRequest = RequestOf<typeof consumerGroupHeartbeatApi>
export type ConsumerGroupHeartbeatResponse = ResponseOf<typeof consumerGroupHeartbeatApi>
