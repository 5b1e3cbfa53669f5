import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConfig } from '../../broker/cluster/broker-config.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { PartitionStore } from '../../broker/partition-store.ts'
import type { TermSurroundings } from '../../broker/replication/leader-term.ts'
import type { Tier } from '../../broker/tier/tier.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
import { LogWorld, segmentPath, topicId } from '../log/log-world.ts'

const tieredTopics = {
  version: 1,
  number: () => 86_400_000,
  topic: () => ({ isTiered: true, number: () => 1 << 20, text: () => 'CreateTime', list: () => ['delete'] }),
} as unknown as BrokerConfig

test('a partition of which the tier does not say how it goes on keeps no file open, and is not taken for closed in order', async () => {
  const world = new LogWorld()
  world.isSynced = false
  await world.open()
  // What an append left that was lost with the power.
  world.disk.edit(segmentPath(0), () => Buffer.alloc(0))
  let isAway = true
  const store = new PartitionStore({
    directory: '/data', disk: world.disk.mount(), clock: world.clock, config: tieredTopics, isSynced: false,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    tier: {
      async restorePoint() {
        if (isAway) throw new TierError('away', 'the bucket is away')
      },
    } as unknown as Tier,
    brokerId: 1, around: {} as TermSurroundings, onOutOfSync() {}, onRole() {},
  })
  const image = fold(emptyImage, 1, [{ type: 'topicCreated', topicId, name: 'orders' }, newPartition(topicId, 0, [1])])
  const topic = image.topics.get(topicId)!
  for (let attempt = 0; attempt < 3; attempt++) {
    await assert.rejects(store.open(topic, topic.partitions[0]!, { isNew: false }), /away/)
    assert.equal(world.disk.openFiles, 0)
  }
  isAway = false
  const partition = await store.open(topic, topic.partitions[0]!, { isNew: false })
  assert.equal(partition.log.wasClean, false)
})
