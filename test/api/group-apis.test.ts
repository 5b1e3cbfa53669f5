import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consumerGroupDescribe } from '../../broker/api/consumer-group-describe.ts'
import { consumerGroupHeartbeat } from '../../broker/api/consumer-group-heartbeat.ts'
import { deleteGroups } from '../../broker/api/delete-groups.ts'
import { describeGroups } from '../../broker/api/describe-groups.ts'
import { findCoordinator } from '../../broker/api/find-coordinator.ts'
import type { Handler } from '../../broker/api/handler.ts'
import { heartbeat } from '../../broker/api/heartbeat.ts'
import { joinGroup } from '../../broker/api/join-group.ts'
import { leaveGroup } from '../../broker/api/leave-group.ts'
import { listGroups } from '../../broker/api/list-groups.ts'
import { offsetCommit } from '../../broker/api/offset-commit.ts'
import { offsetDelete } from '../../broker/api/offset-delete.ts'
import { offsetFetch } from '../../broker/api/offset-fetch.ts'
import { syncGroup } from '../../broker/api/sync-group.ts'
import { decode, encode } from '../../broker/protocol/codec.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { callOf } from '../coordinator/classic-script.ts'
import { FakeTopics } from '../coordinator/fake-topics.ts'
import { makeWorld, type World } from '../coordinator/world.ts'

const orders = 'AAAAAAAAAAAAAAAAAAAAAg'

function makeBroker(): World {
  const topics = new FakeTopics()
  topics.put('orders', 4, orders)
  return makeWorld({ topics })
}

/** One request of each API, with every field of every version. */
const requests: ReadonlyMap<string, object> = new Map<string, object>([
  ['FindCoordinator', { key: 'g', keyType: 0, coordinatorKeys: ['g'] }],
  ['JoinGroup', {
    groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, memberId: 'unknown', groupInstanceId: null, protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(0) }], reason: null,
  }],
  ['SyncGroup', {
    groupId: 'g', generationId: 1, memberId: 'unknown', groupInstanceId: null, protocolType: 'consumer', protocolName: 'range', assignments: [],
  }],
  ['Heartbeat', { groupId: 'g', generationId: 1, memberId: 'unknown', groupInstanceId: null }],
  ['LeaveGroup', { groupId: 'g', memberId: 'unknown', members: [{ memberId: 'unknown', groupInstanceId: null, reason: null }] }],
  ['OffsetCommit', {
    groupId: 'g', generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null, retentionTimeMs: -1,
    topics: [{
      name: 'orders', topicId: orders,
      partitions: [{ partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: null }],
    }],
  }],
  ['OffsetFetch', {
    groupId: 'g', topics: [{ name: 'orders', partitionIndexes: [0, 1] }], requireStable: false,
    groups: [{ groupId: 'g', memberId: null, memberEpoch: -1, topics: [{ name: 'orders', topicId: orders, partitionIndexes: [0, 1] }] }],
  }],
  ['OffsetDelete', { groupId: 'g', topics: [{ name: 'orders', partitions: [{ partitionIndex: 0 }] }] }],
  ['ListGroups', { statesFilter: [], typesFilter: [] }],
  ['DescribeGroups', { groups: ['g', 'other'], includeAuthorizedOperations: true }],
  ['DeleteGroups', { groupsNames: ['other'] }],
  ['ConsumerGroupHeartbeat', {
    groupId: 'g', memberId: 'unknown', memberEpoch: 3, instanceId: null, rackId: null, rebalanceTimeoutMs: -1, subscribedTopicNames: null,
    subscribedTopicRegex: null, serverAssignor: null, topicPartitions: null,
  }],
  ['ConsumerGroupDescribe', { groupIds: ['g', 'other', ''], includeAuthorizedOperations: true }],
])

function handlersOf({ groups, directory }: World): Handler[] {
  return [
    findCoordinator(directory), joinGroup(groups), syncGroup(groups), heartbeat(groups), leaveGroup(groups), offsetCommit(groups),
    offsetFetch(groups), offsetDelete(groups), listGroups(groups), describeGroups(groups), deleteGroups(groups),
    consumerGroupHeartbeat(groups), consumerGroupDescribe(groups),
  ] as unknown as Handler[]
}

/** What a client reads of a response. */
function sent({ api }: Handler, version: number, response: object): string {
  const encoded = encode(api.response, version, response as never)
  return JSON.stringify(decode(api.response, version, encoded))
}

for (const { api } of handlersOf(makeBroker())) {
  test(`${api.name}: every version is answered, and shows a client why it was refused`, async () => {
    for (let version = api.versions.start; version <= api.versions.end; version++) {
      const world = makeBroker()
      const handler = handlersOf(world).find((one) => one.api === api)!
      const request = requests.get(api.name) as never
      sent(handler, version, (await handler.handle(request, callOf(version)))!)
      const refused = sent(handler, version, handler.refuse(request, ErrorCode.GROUP_AUTHORIZATION_FAILED))
      assert.match(refused, new RegExp(`"errorCode":${ErrorCode.GROUP_AUTHORIZATION_FAILED}\\b`), `version ${version}`)
    }
  })
}

test('FindCoordinator: a shard without an owner, and kinds that are not served', async () => {
  const world = makeBroker()
  const handler = findCoordinator({ brokerId: 1, ownerOf: () => ErrorCode.COORDINATOR_NOT_AVAILABLE })
  const nobody = await handler.handle({ key: '', keyType: 0, coordinatorKeys: ['a', 'b'] }, callOf(6))
  assert.deepEqual(nobody!.coordinators!.map(({ key, errorCode, nodeId }) => [key, errorCode, nodeId]), [
    ['a', ErrorCode.COORDINATOR_NOT_AVAILABLE, -1], ['b', ErrorCode.COORDINATOR_NOT_AVAILABLE, -1],
  ])
  const share = await findCoordinator(world.directory).handle({ key: 'x', keyType: 2, coordinatorKeys: [] }, callOf(3))
  assert.equal(share!.errorCode, ErrorCode.INVALID_REQUEST)
})

test('OffsetCommit: each partition stands for itself, by name and by id', async () => {
  const world = makeBroker()
  const committed = { committedOffset: 1, committedLeaderEpoch: 2, committedMetadata: null }
  const request = {
    groupId: 'g', generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null, retentionTimeMs: -1,
    topics: [
      { name: 'nowhere', topicId: 'id-of-nowhere', partitions: [{ partitionIndex: 0, ...committed }] },
      {
        name: 'orders', topicId: orders, partitions: [
          { partitionIndex: 9, ...committed }, { partitionIndex: 1, ...committed, committedMetadata: 'x'.repeat(4_097) },
          { partitionIndex: 2, ...committed }, { partitionIndex: 3, ...committed, committedOffset: Infinity },
        ],
      },
    ],
  }
  const codes = async (version: number) => (await offsetCommit(world.groups).handle(request, callOf(version)))!.topics
    .map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  const { UNKNOWN_TOPIC_OR_PARTITION: unknown, UNKNOWN_TOPIC_ID, OFFSET_METADATA_TOO_LARGE, NONE, INVALID_REQUEST } = ErrorCode
  assert.deepEqual(await codes(9), [[unknown], [unknown, OFFSET_METADATA_TOO_LARGE, NONE, INVALID_REQUEST]])
  assert.deepEqual(await codes(10), [[UNKNOWN_TOPIC_ID], [unknown, OFFSET_METADATA_TOO_LARGE, NONE, INVALID_REQUEST]])
  const all = { groupId: 'g', memberId: null, memberEpoch: -1, topics: null }
  const fetched = await offsetFetch(world.groups).handle({ groupId: '', topics: null, groups: [all], requireStable: true }, callOf(10))
  assert.deepEqual(fetched!.groups![0]!.topics, [{
    name: 'orders', topicId: orders,
    partitions: [{ partitionIndex: 2, committedOffset: 1, committedLeaderEpoch: 2, metadata: '', errorCode: NONE }],
  }])
})

test('a group id that is too long for the table is refused', async () => {
  const { groups } = makeBroker()
  const response = await heartbeat(groups).handle({ groupId: 'x'.repeat(1_001), generationId: 0, memberId: '', groupInstanceId: null }, callOf(4))
  assert.equal(response!.errorCode, ErrorCode.INVALID_GROUP_ID)
})

test('ListGroups: by state and by type, without regard to case', async () => {
  const { groups } = makeBroker()
  await offsetCommit(groups).handle(requests.get('OffsetCommit') as never, callOf(9))
  const list = async (statesFilter: string[], typesFilter: string[]) =>
    (await listGroups(groups).handle({ statesFilter, typesFilter }, callOf(5)))!.groups.length
  assert.deepEqual([await list([], []), await list([' EMPTY'], ['Classic']), await list(['stable'], []), await list([], ['consumer'])], [1, 1, 0, 0])
})
