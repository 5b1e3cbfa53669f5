import { emptyAssignment } from './assignment.ts'
import { type ConsumerMember, stable } from './consumer-group.ts'

/** Before its first heartbeat has been taken in. */
export function newMember(memberId: string): ConsumerMember {
  return {
    memberId, instanceId: undefined, rackId: undefined, clientId: '', clientHost: '', rebalanceTimeoutMs: -1,
    topicNames: [], topicRegex: undefined, assignor: undefined, epoch: 0, previousEpoch: -1, assigned: emptyAssignment, state: stable,
    classic: undefined,
  }
}
