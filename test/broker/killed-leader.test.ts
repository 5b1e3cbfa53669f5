// A leader whose process ends: clients notice at once, and ask at once who leads now. What they are told then decides when
// they ask again.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { leaderAccordingTo, makeTopic, SimCluster } from '../support/sim-cluster.ts'

const topic = 'orders'
const nothing = { topics: [], allowAutoTopicCreation: false, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false }

describe('a leader that is killed', () => {
  test('is not named any more to a client that asks once its connection is lost', async () => {
    const cluster = new SimCluster()
    await cluster.run(async () => {
      await cluster.start()
      await makeTopic(await cluster.connect(1), topic)
      const leader = await leaderAccordingTo(await cluster.connect(1), topic)
      const others = await Promise.all([1, 2, 3].filter((id) => id !== leader).map((id) => cluster.connect(id)))
      const since = cluster.scheduler.now
      cluster.brokers[leader - 1]!.kill()
      // As long as the news needs.
      await cluster.scheduler.sleep(2)
      const named = await Promise.all(others.map((wire) => leaderAccordingTo(wire, topic)))
      assert.ok(!named.includes(leader), `${leader} is gone, and ${named.join(' and ')} are said to lead`)
      assert.ok(cluster.scheduler.now - since < 250, `that took ${cluster.scheduler.now - since} ms`)
    })
    assert.deepEqual(cluster.defects, [])
  })

  test('stays among the brokers for a while, and not for ever', async () => {
    const cluster = new SimCluster()
    await cluster.run(async () => {
      await cluster.start()
      const wire = await cluster.connect(1)
      const listed = async () => (await wire.call(metadataApi, nothing)).brokers.map(({ nodeId }) => nodeId)
      cluster.brokers[1]!.kill()
      await cluster.scheduler.sleep(1_000)
      assert.deepEqual(await listed(), [1, 2, 3])
      await cluster.scheduler.sleep(10_000)
      assert.deepEqual(await listed(), [1, 3])
    })
    assert.deepEqual(cluster.defects, [])
  })

  test('is answered for though it may only be out of reach', async () => {
    const cluster = new SimCluster()
    await cluster.run(async () => {
      await cluster.start()
      const wire = await cluster.connect(1)
      cluster.network.cut('broker-1', 'broker-2')
      const since = cluster.scheduler.now
      for (let asked = 0; asked < 20; asked++) {
        await wire.call(metadataApi, nothing)
        await cluster.scheduler.sleep(100)
      }
      const waited = cluster.scheduler.now - since - 20 * 100
      assert.ok(waited < 20 * 20 + 250, `20 answers took ${waited} ms`)
    })
    assert.deepEqual(cluster.defects, [])
  })
})
