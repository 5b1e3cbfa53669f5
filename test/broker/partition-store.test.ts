import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConfig } from '../../broker/cluster/broker-config.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { PartitionStore } from '../../broker/partition-store.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { TermSurroundings } from '../../broker/replication/leader-term.ts'
import type { Tier } from '../../broker/tier/tier.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
import { aBatch } from '../support/a-batch.ts'
import { LogWorld, segmentPath, topicId } from '../log/log-world.ts'

const MiB = 1 << 20
const around = {} as TermSurroundings
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

function storeOn(world: LogWorld, config: BrokerConfig, tier: Partial<Tier> = {}): PartitionStore {
  return new PartitionStore({
    directory: '/data', disk: world.disk.mount(), clock: world.clock, logger: { debug() {}, info() {}, warn() {}, error() {} }, config,
    isSynced: world.isSynced, tier: tier as Tier, brokerId: 1, around, onOutOfSync() {}, onRole() {},
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
