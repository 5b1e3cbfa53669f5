import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alterPartitionReassignments } from '../../broker/api/alter-partition-reassignments.ts'
import type { ClusterContext } from '../../broker/api/context.ts'
import { electLeaders } from '../../broker/api/elect-leaders.ts'
import { listPartitionReassignments } from '../../broker/api/list-partition-reassignments.ts'
import { unregisterBroker } from '../../broker/api/unregister-broker.ts'
import { planFence } from '../../broker/cluster/leadership.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import type { MetadataRecord } from '../../broker/cluster/metadata-record.ts'
import { PartitionAdmin } from '../../broker/cluster/partition-admin.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { errorName } from '../../broker/protocol/error-code.ts'
import { changedTo, epochOf, partitionOf, rulesOf } from '../cluster/a-cluster.ts'
import { MemoryTable } from '../support/memory-table.ts'

/** Brokers 1 to 4, and a topic `t` with these replicas. */
async function world(...replicas: number[][]) {
  const open = () => MetadataLog.open({ table, itemCharactersMax: 10_000, attemptsMax: 5, itemsPerSnapshot: 1_000 })
  const table = new MemoryTable()
  const metadata = await open()
  const append = (...records: MetadataRecord[]) => metadata.change(() => ({ records, answer: undefined }))
  for (const brokerId of [1, 2, 3, 4]) {
    await append({ type: 'brokerRegistered', brokerId, incarnation: 'i', diskId: 'd', host: 'h', port: 1, rack: null })
  }
  await append({ type: 'topicCreated', topicId: 't', name: 't' }, ...replicas.map((ids, index) => newPartition('t', index, ids)))
  const context = {
    get image() { return metadata.image }, metadata, partitionAdmin: new PartitionAdmin({ metadata, rulesOf, partitionsPerChangeMax: 2 }),
  } as unknown as ClusterContext
  const fence = (id: number) => append(...planFence(metadata.image, epochOf(metadata.image, id), rulesOf))
  return { metadata, append, fence, context, open }
}

const call = { version: 2 } as never

async function alter(context: ClusterContext, partitions: Record<number, number[] | null>, mayChangeFactor = true) {
  const asked = Object.entries(partitions).map(([index, replicas]) => ({ partitionIndex: Number(index), replicas }))
  const request = { timeoutMs: 1, allowReplicationFactorChange: mayChangeFactor, topics: [{ name: 't', partitions: asked }] }
  const response = await alterPartitionReassignments(context).handle(request, call)
  assert.equal(response!.allowReplicationFactorChange, mayChangeFactor)
  return response!.responses.flatMap(({ partitions }) => partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorName(errorCode)]))
}

async function list(context: ClusterContext, topics: { name: string; partitionIndexes: number[] }[] | null) {
  const response = await listPartitionReassignments(context).handle({ timeoutMs: 1, topics }, call)
  return response!.topics.flatMap(({ name, partitions }) => partitions.map((one) => ({ name, ...one })))
}

test('reassignments succeed and are refused one by one, are listed while they go on, and are called off', async () => {
  const { context } = await world([1, 2], [2, 3], [3, 1])
  assert.deepEqual(await alter(context, { 0: [3, 4], 1: [2, 9], 2: [1, 3], 7: [1] }), [
    [0, 'NONE'], [1, 'INVALID_REPLICA_ASSIGNMENT'], [2, 'NONE'], [7, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ])
  const moving = { name: 't', partitionIndex: 0, replicas: [3, 4, 1, 2], addingReplicas: [3, 4], removingReplicas: [1, 2] }
  assert.deepEqual(await list(context, null), [moving])
  assert.deepEqual(await list(context, [{ name: 't', partitionIndexes: [0, 1, 9] }, { name: 'u', partitionIndexes: [0] }]), [moving])
  assert.deepEqual(await list(context, [{ name: 't', partitionIndexes: [1] }]), [])
  assert.deepEqual(await alter(context, { 0: null, 1: null }), [[0, 'NONE'], [1, 'NO_REASSIGNMENT_IN_PROGRESS']])
  assert.deepEqual(await list(context, null), [])
  assert.deepEqual(partitionOf(context.image).replicas, [1, 2])
})

test('the number of replicas stays where the client wants it to', async () => {
  const { context } = await world([1, 2])
  assert.deepEqual(await alter(context, { 0: [1, 2, 3] }, false), [[0, 'INVALID_REPLICATION_FACTOR']])
  assert.deepEqual(await alter(context, { 0: [3, 4] }, false), [[0, 'NONE']])
})

test('what another broker has just been told is known', async () => {
  const { context, open } = await world([1, 2])
  const other = await open()
  await other.change(() => ({
    records: [{ type: 'brokerRegistered', brokerId: 5, incarnation: 'i', diskId: 'd', host: 'h', port: 1, rack: null }], answer: undefined,
  }))
  assert.deepEqual(await alter(context, { 0: [5, 1] }), [[0, 'NONE']])
})

test('a partition that is named twice is moved once', async () => {
  const { context } = await world([1, 2])
  const partitions = [[3], [4]].map((replicas) => ({ partitionIndex: 0, replicas }))
  const request = { timeoutMs: 1, allowReplicationFactorChange: true, topics: [{ name: 't', partitions }] }
  const response = await alterPartitionReassignments(context).handle(request, call)
  assert.deepEqual(response!.responses[0]!.partitions.map(({ errorCode }) => errorName(errorCode)), ['NONE', 'INVALID_REQUEST'])
  assert.deepEqual(partitionOf(context.image).replicas, [3, 1, 2])
})

async function elect(context: ClusterContext, electionType: number, topicPartitions: { topic: string; partitions: number[] }[] | null) {
  const response = await electLeaders(context).handle({ electionType, topicPartitions, timeoutMs: 1 }, call)
  const results = response!.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map(({ partitionId, errorCode }) => [`${topic}-${partitionId}`, errorName(errorCode)]))
  return { code: errorName(response!.errorCode), results }
}

test('preferred leaders are elected where they are in sync and serve, and do not lead yet', async () => {
  const { context, metadata, append, fence } = await world([1, 2], [2, 1], [3, 2], [4, 2])
  await append(changedTo(metadata.image, { leader: 2, leaderEpoch: 1 }))
  await append(changedTo(metadata.image, { leader: 2, leaderEpoch: 1, isr: [2] }, 2))
  await fence(4)
  const all = [{ topic: 't', partitions: [0, 1, 2, 3, 9] }, { topic: 'u', partitions: [0] }]
  assert.deepEqual((await elect(context, 0, all)).results, [
    ['t-0', 'NONE'], ['t-1', 'ELECTION_NOT_NEEDED'], ['t-2', 'PREFERRED_LEADER_NOT_AVAILABLE'],
    ['t-3', 'PREFERRED_LEADER_NOT_AVAILABLE'], ['t-9', 'UNKNOWN_TOPIC_OR_PARTITION'], ['u-0', 'UNKNOWN_TOPIC_OR_PARTITION'],
  ])
  assert.deepEqual([partitionOf(context.image).leader, partitionOf(context.image).leaderEpoch], [1, 2])
})

test('where all partitions are meant, those that need no election are not told of', async () => {
  const { context, metadata, append } = await world([1, 2], [2, 1], [3, 2])
  await append(changedTo(metadata.image, { leader: 2, leaderEpoch: 1 }))
  assert.deepEqual(await elect(context, 0, null), { code: 'NONE', results: [['t-0', 'NONE']] })
  assert.deepEqual(await elect(context, 0, null), { code: 'NONE', results: [] })
})

test('an unclean election happens only where nobody leads and somebody serves', async () => {
  const { context, append, metadata, fence } = await world([1, 2], [2, 1], [3, 4])
  await append(changedTo(metadata.image, { isr: [1] }))
  for (const id of [1, 3, 4]) await fence(id)
  const { results } = await elect(context, 1, [{ topic: 't', partitions: [0, 1, 2] }])
  assert.deepEqual(results, [['t-0', 'NONE'], ['t-1', 'ELECTION_NOT_NEEDED'], ['t-2', 'ELIGIBLE_LEADERS_NOT_AVAILABLE']])
  const { leader, isr } = partitionOf(context.image)
  assert.deepEqual([leader, isr], [2, [2]])
})

test('an election of an unknown kind is refused', async () => {
  const { context } = await world([1])
  assert.deepEqual(await elect(context, 2, null), { code: 'INVALID_REQUEST', results: [] })
})

test('a broker is forgotten once it has stopped and has nothing any more', async () => {
  const { context, fence } = await world([1, 2])
  const unregister = async (brokerId: number) => {
    const response = await unregisterBroker(context).handle({ brokerId }, call)
    return errorName(response!.errorCode)
  }
  assert.equal(await unregister(9), 'BROKER_ID_NOT_REGISTERED')
  assert.equal(await unregister(3), 'POLICY_VIOLATION', 'it serves')
  await fence(3)
  await fence(2)
  assert.equal(await unregister(2), 'POLICY_VIOLATION', 'it has a replica')
  assert.equal(await unregister(3), 'NONE')
  assert.equal(context.image.brokers.has(3), false)
  assert.equal(await unregister(3), 'BROKER_ID_NOT_REGISTERED')
})
