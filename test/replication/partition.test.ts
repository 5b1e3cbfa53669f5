import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Partition } from '../../broker/replication/partition.ts'
import { appendAll, LogWorld, topicId } from '../log/log-world.ts'
import { aBatch } from '../support/a-batch.ts'

const image = { partition: 0, leader: 1, leaderEpoch: 3, partitionEpoch: 1, replicas: [1, 2, 3], isr: [1, 2, 3], elr: [] }

/** Broker 1 leads a partition with five records, and 2 and 3 have them. */
async function leading() {
  const world = new LogWorld()
  const log = await world.open()
  await appendAll(log, [aBatch({ records: 5 })])
  const partition = new Partition({
    topicId, topicName: 'orders', partition: 0, log, brokerId: 1, onOutOfSync() {}, onRole() {},
    around: { clock: world.clock, minIsr: () => 2, lagMsMax: () => 10_000, isAlive: () => true, hasSession: () => true },
  })
  await partition.assume(image)
  const fetch = (brokerId: number, isAgain: boolean) => partition.readAsFollower({
    brokerId, brokerEpoch: 7, offset: 5, bytesMax: 1_000, minOneBatch: true, currentLeaderEpoch: 3, lastFetchedEpoch: 0, isAgain,
  })
  return { partition, fetch }
}

test('a fetch that is held while its replica leaves the in-sync replicas does not bring it back', async () => {
  const { partition, fetch } = await leading()
  await fetch(2, false)
  await fetch(3, false)
  await partition.assume({ ...image, partitionEpoch: 2, isr: [1, 2] })
  await fetch(3, true)
  assert.equal(partition.term!.plan(), undefined, 'it was asked before the replica gave up what it had')
  await fetch(3, false)
  assert.deepEqual(partition.term!.plan()?.isr.map(({ brokerId }) => brokerId), [1, 2, 3])
})

test('who waits for records hears that those from before the term are committed, although none was written in it', async () => {
  const { partition, fetch } = await leading()
  const told: number[] = []
  partition.watch((bytes) => told.push(bytes))
  await fetch(2, false)
  await fetch(3, false)
  assert.equal(partition.highWatermark, 5)
  assert.ok(told.some((bytes) => bytes > 0), `${told}`)
})
