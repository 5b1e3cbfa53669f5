import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planRegistration } from '../../broker/cluster/leadership.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { IsrChanges } from '../../broker/replication/isr-changes.ts'
import { Partition } from '../../broker/replication/partition.ts'
import { TableError } from '../../broker/table/table.ts'
import { partitionOf, registration, rulesOf } from '../cluster/a-cluster.ts'
import { LogWorld } from '../log/log-world.ts'
import { MemoryTable } from '../support/memory-table.ts'

const limits = { retryMs: 500, partitionsMax: 2, lagMsMax: 5_000 }

/** Broker 1 leads as many partitions of a topic `t`, each with brokers 2 and 3 in sync. */
async function world(partitions = 1) {
  const { clock } = new LogWorld()
  const table = new MemoryTable()
  const metadata = await MetadataLog.open({ table, itemCharactersMax: 10_000, attemptsMax: 5, itemsPerSnapshot: 1_000 })
  for (const id of [1, 2, 3]) {
    await metadata.change((image) => ({ records: planRegistration(image, registration(id), rulesOf), answer: undefined }))
  }
  const created = Array.from({ length: partitions }, (_, index) => newPartition('t', index, [1, 2, 3]))
  await metadata.change(() => ({ records: [{ type: 'topicCreated', topicId: 't', name: 't' }, ...created], answer: undefined }))
  const away = { isAway: false }
  const appends: number[] = []
  const faults: unknown[] = []
  const changes: IsrChanges = new IsrChanges({
    metadata: {
      change: async (decide) => {
        appends.push(clock.monotonic())
        if (away.isAway) throw new TableError('away', 'nobody answers')
        return metadata.change(decide)
      },
    },
    clock, brokerId: 1, ...limits, onFault: (cause) => faults.push(cause),
  })
  const led: Partition[] = []
  for (let index = 0; index < partitions; index++) {
    const log = await new LogWorld().open({ topicId: 't', clock, directory: `/data/${index}` })
    const partition = new Partition({
      topicId: 't', topicName: 't', partition: index, log, brokerId: 1, onRole() {}, onOutOfSync: (one) => changes.ask(one),
      around: { clock, minIsr: () => 1, lagMsMax: () => limits.lagMsMax, isAlive: () => true, hasSession: () => true },
    })
    await partition.assume(partitionOf(metadata.image, index))
    led.push(partition)
  }
  metadata.onChange((image) => led.forEach((partition, index) => void partition.assume(partitionOf(image, index))))
  const isr = (index = 0) => partitionOf(metadata.image, index).isr
  const look = () => led.forEach(({ term }) => term?.look())
  return { clock, metadata, changes, led, away, appends, faults, isr, look }
}

test('followers that are silent for too long leave the in-sync replicas, and nobody is asked to before that', async () => {
  const { clock, appends, isr, look } = await world()
  await clock.advance(limits.lagMsMax)
  look()
  await clock.advance(0)
  assert.deepEqual(appends, [])
  await clock.advance(1)
  look()
  await clock.advance(0)
  assert.deepEqual(isr(), [1])
})

test('what several partitions have to say goes into one change, up to the limit of one', async () => {
  const { clock, appends, isr, look } = await world(5)
  await clock.advance(limits.lagMsMax + 1)
  look()
  await clock.advance(0)
  assert.deepEqual([0, 1, 2, 3, 4].map(isr), [[1], [1], [1], [1], [1]])
  assert.equal(appends.length, 3)
})

test('while the table is away a change is tried again after a while each time, and the larger set is waited for', async () => {
  const { clock, led, away, appends, faults, isr, look } = await world()
  away.isAway = true
  await clock.advance(limits.lagMsMax + 1)
  look()
  await clock.advance(1_200)
  assert.deepEqual(appends, [5_001, 5_501, 6_001])
  assert.equal(faults.length, 3)
  assert.deepEqual([led[0]!.term!.state.isr, led[0]!.term!.state.proposal?.isUnknown], [[1, 2, 3], true])
  away.isAway = false
  await clock.advance(limits.retryMs)
  assert.deepEqual([isr(), led[0]!.term!.state.proposal], [[1], undefined])
  await clock.advance(10_000)
  assert.equal(appends.length, 4, 'what was carried out is not tried again')
})

test('a change of a leader that is one no more is dropped', async () => {
  const { clock, metadata, led, isr, look } = await world()
  await clock.advance(limits.lagMsMax + 1)
  const partition = partitionOf(metadata.image)
  const next = { ...partition, leader: 2, leaderEpoch: 1, partitionEpoch: partition.partitionEpoch + 1 }
  look()
  await metadata.change(() => ({ records: [{ type: 'partitionChanged', topicId: 't', ...next }], answer: undefined }))
  await clock.advance(5_000)
  assert.deepEqual(isr(), [1, 2, 3])
  assert.equal(led[0]!.role.kind, 'follows')
})

test('nothing is tried any more once it was stopped, and stopping does not wait for the next try', async () => {
  const { clock, changes, away, appends, look } = await world()
  away.isAway = true
  await clock.advance(limits.lagMsMax + 1)
  look()
  await clock.advance(0)
  await changes.stop()
  look()
  await clock.advance(5_000)
  assert.equal(appends.length, 1)
})
