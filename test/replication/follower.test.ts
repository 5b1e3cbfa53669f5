import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartitionStore, type PartitionStoreOptions } from '../../broker/partition-store.ts'
import type { PartitionImage } from '../../broker/cluster/image.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { type FetchedPartition, Follower, type FollowerOptions, type Rejoining } from '../../broker/replication/follower.ts'
import { Partition } from '../../broker/replication/partition.ts'
import type { RestorePoint } from '../../broker/tier/restore-point.ts'
import { appendAll, LogWorld, topicId } from '../log/log-world.ts'
import { aBatch } from '../support/a-batch.ts'

const image: PartitionImage = { partition: 0, leader: 2, leaderEpoch: 1, partitionEpoch: 1, replicas: [1, 2], isr: [2], elr: [] }

/** Replica 1 of a partition, which follows broker 2 in epoch 1. */
async function world() {
  const logs = new LogWorld({}, { segmentBytes: 300 })
  const log = await logs.open()
  const partition = new Partition({
    topicId, topicName: 'orders', partition: 0, log, brokerId: 1, onOutOfSync() {}, onRole() {},
    around: { clock: logs.clock, minIsr: () => 1, lagMsMax: () => 10_000, isAlive: () => true, hasSession: () => true },
  })
  await partition.assume(image)
  const faults: unknown[] = []
  const follower = (leaderEpoch: number, rejoin: FollowerOptions['rejoin'] = assert.fail) =>
    new Follower({ partition, leaderEpoch, clock: logs.clock, trimRetryMs: 1_000, bytesMax: 1 << 20, rejoin, onFault: (_partition, what, cause) => faults.push([what, cause]) })
  return { log, partition, faults, follower }
}

function answer(fetched: Partial<FetchedPartition>): FetchedPartition {
  return { errorCode: ErrorCode.NONE, divergingEpoch: { epoch: -1, endOffset: -1 }, logStartOffset: 0, highWatermark: 0, records: null, ...fetched } as FetchedPartition
}

const moved = answer({ errorCode: ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE })

/** The store of partitions, with an object store that says what it has when this test does. */
function slowStore() {
  const asked: ((point: RestorePoint) => void)[] = []
  const restorePoint = () => new Promise<RestorePoint>((resolve) => asked.push(resolve))
  const store = new PartitionStore({ tier: { restorePoint }, logger: { warn() {} } } as unknown as PartitionStoreOptions)
  const say = (at: number, offset: number) => asked[at]!({ offset, logStartOffset: 0, epochs: [], producers: Buffer.alloc(0) } as unknown as RestorePoint)
  return { rejoin: (partition: Partition, of: Rejoining) => store.rejoin(partition, of), say }
}

test('what is learned of the object store too late changes nothing: by then the replica has caught up in another epoch', async () => {
  for (const next of [{ leader: 2 }, { leader: 1 }]) {
    const { log, partition, follower } = await world()
    const { rejoin, say } = slowStore()
    const late = follower(1, rejoin).take(moved)
    await partition.assume({ ...image, ...next, leaderEpoch: 2, partitionEpoch: 2 })
    const again = follower(2, rejoin)
    if (next.leader === 2) {
      const quick = again.take(moved)
      say(1, 40)
      await quick
    }
    await appendAll(log, [aBatch({ fill: 1 }), aBatch({ fill: 2 })], 2)
    const { endOffset } = log
    say(0, 40)
    await late
    assert.equal(log.endOffset, endOffset)
  }
})

test('a log never gets shorter by beginning behind the object store, however old what is known of that', async () => {
  const { log, follower, faults } = await world()
  const { rejoin, say } = slowStore()
  await appendAll(log, [aBatch({ records: 5 })], 1)
  const taken = follower(1, rejoin).take(moved)
  say(0, 5)
  assert.equal(await taken, 'later')
  assert.deepEqual([log.endOffset, faults.length], [5, 1])
})

test('a replica that led an epoch without a record takes what its leader has of an earlier one', async () => {
  const { log, partition, follower } = await world()
  await appendAll(log, [aBatch()], 1)
  await partition.assume({ ...image, leader: 1, leaderEpoch: 3, partitionEpoch: 2 })
  assert.equal(log.epochs.latest, 3)
  await partition.assume({ ...image, leader: 2, leaderEpoch: 4, partitionEpoch: 3 })
  const copy = follower(4)
  await copy.begin()
  assert.equal(await copy.take(answer({ records: aBatch({ baseOffset: 1, leaderEpoch: 2 }) })), 'at once')
  assert.deepEqual([log.endOffset, log.epochs.latest], [2, 2])
})

test('an epoch that this replica has begun to lead meanwhile is not forgotten', async () => {
  const { log, partition, follower } = await world()
  const beginning = follower(1).begin()
  await partition.assume({ ...image, leader: 1, leaderEpoch: 2, partitionEpoch: 2 })
  await beginning
  assert.equal(log.epochs.latest, 2)
})

test('a log that parts from its leader\'s below what is on this disk begins anew', async () => {
  const { log, follower } = await world()
  for (let fill = 0; fill < 6; fill++) await appendAll(log, [aBatch({ fill })], 1)
  await log.tick({ isClockTrusted: true })
  await log.evictBelow(4)
  assert.ok(log.localStartOffset > 2, `the disk begins at ${log.localStartOffset}`)
  const asked: Rejoining[] = []
  const copy = follower(1, async (_partition, of) => void asked.push(of))
  assert.equal(await copy.take(answer({ divergingEpoch: { epoch: 0, endOffset: 2 } })), 'at once')
  assert.deepEqual(asked.map(({ isParted }) => isParted), [true])
})
