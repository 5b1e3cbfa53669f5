import type { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } from '../../broker/protocol/messages/consumer-group-heartbeat.ts'
import type { Group } from '../../broker/coordinator/group.ts'
import type { CommitAnswer } from '../../broker/coordinator/offsets/commit.ts'
import { offsetOf } from '../../broker/coordinator/offsets/offsets.ts'
import type { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { World } from './world.ts'

const client = { clientId: 'test', clientHost: '/127.0.0.1' }

/** A heartbeat of a member of a consumer group; what is left out is left out. */
export function beat(
  { groups }: World, request: Pick<ConsumerGroupHeartbeatRequest, 'memberId' | 'memberEpoch'> & Partial<ConsumerGroupHeartbeatRequest>,
): Promise<ConsumerGroupHeartbeatResponse | ErrorCode> {
  return groups.execute('g', {
    kind: 'consumerHeartbeat', client,
    request: {
      groupId: 'g', instanceId: null, rackId: null, rebalanceTimeoutMs: -1, subscribedTopicNames: null, subscribedTopicRegex: null,
      serverAssignor: null, topicPartitions: null, ...request,
    },
  })
}

export function joinConsumers(world: World, memberId: string, topics: readonly string[] = ['orders']) {
  return beat(world, { memberId, memberEpoch: 0, rebalanceTimeoutMs: 30_000, subscribedTopicNames: [...topics], topicPartitions: [] })
}

/** Commits one offset from outside of the group. */
export function commitOne({ groups, topics }: World, offset: number, { partition = 0, topic = 'orders' } = {}): Promise<CommitAnswer> {
  return groups.execute<CommitAnswer>('g', {
    kind: 'commitOffsets', memberId: '', instanceId: null, epoch: -1, version: 9, retentionMs: undefined,
    offsets: [{ topicId: topics.byName(topic)!.id, partition, offset, leaderEpoch: 0, metadata: '' }],
  })
}

/** What is committed for a partition; undefined: nothing, a number below -1000: the code that refused. */
export async function committed({ groups, topics }: World, partition = 0, topic = 'orders'): Promise<number | undefined> {
  const group = await groups.execute<Group>('g', { kind: 'confirm' })
  if (typeof group === 'number') return -1000 - group
  const known = topics.byName(topic)
  return known === undefined ? undefined : offsetOf(group.offsets, known.id, partition)?.offset
}
