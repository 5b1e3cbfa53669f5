// ConsumerGroupHeartbeat, v0-v1 (KIP-848): the one request by which a member of a consumer group joins, stays, learns
// its assignment, acknowledges it, and leaves.
//
// The group, its members and their targets are in the table before they are told of; a heartbeat that changes nothing
// does not touch the table. The assignors are `uniform` (the default) and `range`.
//   v1  clients choose their member ids (KIP-1082), and subscribe by patterns in RE2 syntax, which we match in linear time
// Other than Kafka's, a pattern is resolved at once, and a new target is computed with the heartbeat that calls for it
// (Kafka 4.3 waits up to group.consumer.assignment.interval.ms). Racks are kept and shown, but no assignor looks at them.
// The first such member to join a classic group of consumers upgrades it, and when the last one goes the group is a
// classic one again (group.consumer.migration.policy=bidirectional; there is no other).

import { problemWith, refusal, refused } from '../coordinator/consumer/heartbeat-request.ts'
import type { Groups } from '../coordinator/groups.ts'
import { type ErrorCode, errorName } from '../protocol/error-code.ts'
import { consumerGroupHeartbeatApi, type ConsumerGroupHeartbeatResponse } from '../protocol/messages/consumer-group-heartbeat.ts'
import type { HandlerOf } from './handler.ts'

export function consumerGroupHeartbeat(groups: Groups): HandlerOf<typeof consumerGroupHeartbeatApi> {
  return {
    api: consumerGroupHeartbeatApi,

    async handle(request, call) {
      const problem = problemWith(request, call.version)
      if (problem !== undefined) return refused(problem)
      const answer = await groups.execute<ConsumerGroupHeartbeatResponse>(request.groupId, {
        kind: 'consumerHeartbeat',
        request: request.memberId === '' ? { ...request, memberId: groups.newConsumerId() } : request,
        client: { clientId: call.clientId ?? '', clientHost: call.clientHost },
      })
      return typeof answer === 'number' ? refused(refusal(answer, errorName(answer))) : answer
    },

    refuse: (_request, code) => refused(refusal(code as ErrorCode, errorName(code))),
  }
}
