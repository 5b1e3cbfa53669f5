// Three brokers on a simulated machine, whose table is as far away as a service in a region is.

import assert from 'node:assert/strict'
import { allRules } from '../../broker/runtime/rules.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { BrokerHost, brokerPort, type World } from '../../sim/broker-host.ts'
import { SimNetwork } from '../../sim/network.ts'
import { SimObjects } from '../../sim/objects.ts'
import { SimProcess } from '../../sim/process.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { SimTable } from '../../sim/table.ts'
import { Wire } from '../../sim/wire.ts'
import { aBatch } from './a-batch.ts'

const settings = { 'default.replication.factor': '3', 'min.insync.replicas': '2' }

export class SimCluster {
  readonly scheduler = new Scheduler(1)
  readonly table = new SimTable(this.scheduler)
  readonly network = new SimNetwork(this.scheduler)
  readonly #client = new SimProcess('client', this.scheduler)
  /** Of the ids 1 to 3, in their order. */
  readonly brokers: readonly BrokerHost[]
  readonly defects: string[] = []

  constructor() {
    const { scheduler, table } = this
    const world: World = {
      scheduler, table, network: this.network, objects: new SimObjects(scheduler), onLog() {},
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
    return Wire.connect(this.#client, this.network.of(this.#client, 'client'), { host: `broker-${id}`, port: brokerPort })
  }
}

/** With one partition of three replicas. */
export async function makeTopic(wire: Wire, name: string): Promise<void> {
  const { topics } = await wire.call(createTopicsApi, {
    topics: [{ name, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }], timeoutMs: 5_000,
  })
  assert.equal(topics[0]!.errorCode, ErrorCode.NONE, topics[0]!.errorMessage ?? '')
}

/** Of the topic's only partition; -1: nobody leads. */
export async function leaderAccordingTo(wire: Wire, name: string): Promise<number> {
  const asked = { topics: [{ name }], allowAutoTopicCreation: false }
  const { topics } = await wire.call(metadataApi, { ...asked, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false })
  return topics[0]!.partitions[0]!.leaderId
}

/** A record for the topic's only partition, with acks=all. The code of the answer. */
export async function write(wire: Wire, name: string, { timeoutMs = 5_000 } = {}): Promise<number> {
  const { responses } = await wire.call(produceApi, {
    acks: -1, timeoutMs, topicData: [{ name, partitionData: [{ index: 0, records: [aBatch()] }] }],
  }, { version: 12 })
  return responses[0]!.partitionResponses[0]!.errorCode
}
