// A broker that stops in order, on a simulated machine whose table is as far away as a service in a region is.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { findCoordinatorApi } from '../../broker/protocol/messages/find-coordinator.ts'
import { heartbeatApi } from '../../broker/protocol/messages/heartbeat.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { allRules } from '../../broker/cluster/rules.ts'
import { BrokerHost, brokerPort, type World } from '../../sim/broker-host.ts'
import { SimNetwork } from '../../sim/network.ts'
import { SimObjects } from '../../sim/objects.ts'
import { SimProcess } from '../../sim/process.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { SimTable } from '../../sim/table.ts'
import { Wire } from '../../sim/wire.ts'
import { aBatch } from '../support/a-batch.ts'

const topic = 'orders'
const settings = { 'default.replication.factor': '3', 'min.insync.replicas': '2' }

class SimCluster {
  readonly scheduler = new Scheduler(1)
  readonly table = new SimTable(this.scheduler)
  readonly #network = new SimNetwork(this.scheduler)
  readonly #client = new SimProcess('client', this.scheduler)
  readonly brokers: readonly BrokerHost[]
  readonly defects: string[] = []

  constructor() {
    const { scheduler, table } = this
    const world: World = {
      scheduler, table, network: this.#network, objects: new SimObjects(scheduler), onLog() {},
      onDefect: (host, what) => this.defects.push(`${host}: ${what}`),
    }
    Object.assign(table.weather, { delayMs: 10, jitterMs: 20 })
    this.brokers = [1, 2, 3].map((id) => new BrokerHost(world, { id, durability: 'replicated', settings, rules: allRules }))
  }

  /** Runs in virtual time. */
  async run<T>(story: () => Promise<T>): Promise<T> {
    let ended = false
    const told = story().finally(() => (ended = true))
    told.catch(() => {})
    await this.scheduler.run(this.scheduler.now + 60_000, () => ended)
    assert.ok(ended, 'a minute of virtual time was not enough')
    return told
  }

  async start(): Promise<void> {
    for (const broker of this.brokers) broker.start()
    while (!this.brokers.every(({ isServing }) => isServing)) await this.scheduler.sleep(50)
    // Until all have heard of all.
    await this.scheduler.sleep(1_000)
  }

  connect(id: number): Promise<Wire> {
    return Wire.connect(this.#client, this.#network.of(this.#client, 'client'), { host: `broker-${id}`, port: brokerPort })
  }
}

async function leaderAccordingTo(wire: Wire): Promise<number> {
  const asked = { topics: [{ name: topic }], allowAutoTopicCreation: false }
  const { topics } = await wire.call(metadataApi, { ...asked, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false })
  return topics[0]!.partitions[0]!.leaderId
}

async function coordinatorAccordingTo(wire: Wire, group: string): Promise<number> {
  return (await wire.call(findCoordinatorApi, { keyType: 0, key: '', coordinatorKeys: [group] })).coordinators![0]!.nodeId
}

async function write(wire: Wire): Promise<number> {
  const { responses } = await wire.call(produceApi, {
    acks: -1, timeoutMs: 5_000, topicData: [{ name: topic, partitionData: [{ index: 0, records: [aBatch()] }] }],
  }, { version: 12 })
  return responses[0]!.partitionResponses[0]!.errorCode
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
  for (const [what, ask] of [['writes', write], ['reads', read]] as const) {
    test(`turns ${what} away once the other brokers know who leads instead`, async () => {
      const cluster = new SimCluster()
      await cluster.run(async () => {
        await cluster.start()
        const wire = await cluster.connect(1)
        const made = await wire.call(createTopicsApi, {
          topics: [{ name: topic, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }], timeoutMs: 5_000,
        })
        assert.equal(made.topics[0]!.errorCode, ErrorCode.NONE, made.topics[0]!.errorMessage ?? '')
        const leader = await leaderAccordingTo(wire)
        const refusal = ErrorCode.NOT_LEADER_OR_FOLLOWER
        const leaders = await whenTurnedAway(cluster, leader, { refusal, ask, look: leaderAccordingTo })
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
