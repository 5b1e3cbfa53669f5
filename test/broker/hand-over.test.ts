// A broker that stops in order, on a simulated machine whose table is as far away as a service in a region is.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { findCoordinatorApi } from '../../broker/protocol/messages/find-coordinator.ts'
import { heartbeatApi } from '../../broker/protocol/messages/heartbeat.ts'
import type { Wire } from '../../sim/wire.ts'
import { leaderAccordingTo, makeTopic, SimCluster, write } from '../support/sim-cluster.ts'

const topic = 'orders'

async function coordinatorAccordingTo(wire: Wire, group: string): Promise<number> {
  return (await wire.call(findCoordinatorApi, { keyType: 0, key: '', coordinatorKeys: [group] })).coordinators![0]!.nodeId
}

async function read(wire: Wire): Promise<number> {
  const { responses } = await wire.call(fetchApi, {
    maxWaitMs: 500, minBytes: 1, sessionEpoch: -1, forgottenTopicsData: [],
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }] }],
  }, { version: 12 })
  return responses[0]!.partitions[0]!.errorCode
}

async function beat(wire: Wire, groupId: string): Promise<number> {
  return (await wire.call(heartbeatApi, { groupId, generationId: 1, memberId: 'm' })).errorCode
}

interface Asking {
  /** Of the broker that stops: by whom nothing is served any more. */
  readonly refusal: number
  ask(wire: Wire): Promise<number>
  /** Who serves instead, according to another broker. */
  look(wire: Wire): Promise<number>
}

/** Asks the broker until it refuses, and stops it meanwhile. What the others say from that moment on. */
async function whenTurnedAway(cluster: SimCluster, id: number, { ask, look, refusal }: Asking): Promise<readonly number[]> {
  const others = await Promise.all([1, 2, 3].filter((other) => other !== id).map((other) => cluster.connect(other)))
  const wire = await cluster.connect(id)
  const asking = (async () => {
    while ((await ask(wire)) !== refusal) await cluster.scheduler.sleep(1)
    return Promise.all(others.map(look))
  })()
  await cluster.scheduler.sleep(100)
  const stopped = cluster.brokers[id - 1]!.stop()
  const found = await asking
  await stopped
  return found
}

describe('a broker that stops in order', () => {
  for (const [what, ask] of [['writes', (wire: Wire) => write(wire, topic)], ['reads', read]] as const) {
    test(`turns ${what} away once the other brokers know who leads instead`, async () => {
      const cluster = new SimCluster()
      await cluster.run(async () => {
        await cluster.start()
        const wire = await cluster.connect(1)
        await makeTopic(wire, topic)
        const look = (of: Wire) => leaderAccordingTo(of, topic)
        const leader = await look(wire)
        const refusal = ErrorCode.NOT_LEADER_OR_FOLLOWER
        const leaders = await whenTurnedAway(cluster, leader, { refusal, ask, look })
        assert.ok(!leaders.includes(leader), `${leader} stops, and the others say that ${leaders.join(' and ')} lead`)
      })
      assert.deepEqual(cluster.defects, [])
    })
  }

  test('turns members of its groups away once the other brokers know who coordinates them instead', async () => {
    const cluster = new SimCluster()
    await cluster.run(async () => {
      await cluster.start()
      const look = (wire: Wire) => coordinatorAccordingTo(wire, 'readers')
      const coordinator = await look(await cluster.connect(1))
      const ask = (wire: Wire) => beat(wire, 'readers')
      const coordinators = await whenTurnedAway(cluster, coordinator, { refusal: ErrorCode.NOT_COORDINATOR, ask, look })
      assert.ok(!coordinators.includes(coordinator), `${coordinator} stops, and the others say ${coordinators.join(' and ')}`)
    })
    assert.deepEqual(cluster.defects, [])
  })
})
