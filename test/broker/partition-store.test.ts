import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConfig } from '../../broker/cluster/broker-config.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { InProcessCompaction } from '../../broker/compaction/in-process-compaction.ts'
import { PartitionStore } from '../../broker/partition-store.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { TermSurroundings } from '../../broker/replication/leader-term.ts'
import { headKey } from '../../broker/tier/manifest-items.ts'
import { Tier } from '../../broker/tier/tier.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
import type { TierIo } from '../../broker/tier/tier-io.ts'
import type { Random } from '../../broker/runtime/random.ts'
import { aBatch } from '../support/a-batch.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { appendAll, LogWorld, segmentPath, topicId } from '../log/log-world.ts'

const MiB = 1 << 20
const image = fold(emptyImage, 1, [{ type: 'topicCreated', topicId, name: 'orders' }, newPartition(topicId, 0, [1])])
const topic = image.topics.get(topicId)!

/** What all topics are set to. */
function configOf({ isTiered = false, policy = 'delete', batchBytesMax = MiB }): BrokerConfig {
  const settings = new Map([['max.message.bytes', batchBytesMax], ['message.timestamp.before.max.ms', Infinity]])
  return {
    version: 1,
    number: () => 86_400_000,
    topic: () => ({ isTiered, number: (name: string) => settings.get(name) ?? MiB, text: () => 'CreateTime', list: () => [policy] }),
  } as unknown as BrokerConfig
}

function storeOn(world: LogWorld, config: BrokerConfig, tier: Partial<Tier> = {}, around = {} as TermSurroundings): PartitionStore {
  return new PartitionStore({
    directory: '/data', disk: world.disk.mount(), clock: world.clock, logger: { debug() {}, info() {}, warn() {}, error() {} }, config,
    isSynced: world.isSynced, tier: tier as Tier, brokerId: 1, around, onOutOfSync() {}, onRole() {},
    openCompaction: () => new InProcessCompaction({ disk: world.disk.mount(), clock: world.clock }),
  })
}

test('a partition of which the tier does not say how it goes on keeps no file open, and is not taken for closed in order', async () => {
  const world = new LogWorld()
  world.isSynced = false
  await world.open()
  // What an append left that was lost with the power.
  world.disk.edit(segmentPath(0), () => Buffer.alloc(0))
  let isAway = true
  const store = storeOn(world, configOf({ isTiered: true }), {
    async restorePoint() {
      if (isAway) throw new TierError('away', 'the bucket is away')
      return undefined
    },
  })
  for (let attempt = 0; attempt < 3; attempt++) {
    await assert.rejects(store.open(topic, topic.partitions[0]!, { isNew: false }), /away/)
    assert.equal(world.disk.openFiles, 0)
  }
  isAway = false
  const partition = await store.open(topic, topic.partitions[0]!, { isNew: false })
  assert.equal(partition.log.wasClean, false)
})

test('a batch that says little and holds much is refused where keys are looked at, and nowhere else', async () => {
  const cases = [
    { policy: 'compact', holds: 15 * MiB, expected: ErrorCode.NONE },
    { policy: 'compact', holds: 17 * MiB, expected: ErrorCode.INVALID_RECORD },
    { policy: 'compact', holds: 17 * MiB, batchBytesMax: 20 * MiB, expected: ErrorCode.NONE },
    { policy: 'delete', holds: 17 * MiB, expected: ErrorCode.NONE },
  ]
  for (const { holds, expected, ...settings } of cases) {
    const store = storeOn(new LogWorld(), configOf(settings))
    const { log } = await store.open(topic, topic.partitions[0]!, { isNew: true })
    const batch = aBatch({ valueBytes: holds, compression: 'gzip', hasKeys: true })
    assert(batch.length < MiB)
    assert.equal((await log.append(batch, { leaderEpoch: 0 })).errorCode, expected, JSON.stringify({ holds, ...settings }))
  }
})

for (const [what, settings] of [['tiering was switched off', {}], ['compaction was switched on', { policy: 'compact' }]] as const) {
  test(`a follower that is elected after ${what} leads in the tier too, where it has followed`, async () => {
    const [world, table] = [new LogWorld(), new MemoryTable()]
    const tier = new Tier({
      clock: world.clock, table, clusterId: 'test-cluster', random: {} as Random, io: {} as TierIo,
      onEvent: (event) => assert.notEqual(event.kind, 'task failed'),
    })
    let isTiered = true
    const config = {
      version: 1, number: () => 86_400_000,
      topic: () => ({ ...configOf(isTiered ? {} : settings).topic(''), isTiered, flag: () => isTiered }),
    } as unknown as BrokerConfig
    const around = { clock: world.clock, minIsr: () => 1, lagMsMax: () => 10_000, isAlive: () => true, hasSession: () => true }
    const store = storeOn(world, config, tier, around)
    const partition = await store.open(topic, topic.partitions[0]!, { isNew: true })
    const image = { ...topic.partitions[0]!, replicas: [1], isr: [1] }
    await partition.assume({ ...image, leader: 2, leaderEpoch: 1 })
    isTiered = false
    await partition.assume({ ...image, leader: 1, leaderEpoch: 2 })
    await appendAll(partition.log, Array.from({ length: 10 }, () => aBatch()), 2)
    assert.deepEqual(await partition.deleteRecords(5), { logStartOffset: 5 })
    const { epoch, logStart } = (await table.get(headKey({ topicId, partition: 0 })))!.value as { epoch: number; logStart: number }
    assert.deepEqual({ epoch, logStart }, { epoch: 2, logStart: 5 })
    await store.close(partition)
  })
}
