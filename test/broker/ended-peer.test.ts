// A broker whose process has ended is noticed by the others where they connect to it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerConfig } from '../../broker/cluster/broker-config.ts'
import { planRegistration } from '../../broker/cluster/leadership.ts'
import { sessionsPartition } from '../../broker/cluster/membership.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { ClusterMember } from '../../broker/cluster-member.ts'
import type { Config } from '../../broker/config.ts'
import type { Partitions } from '../../broker/replication/partitions.ts'
import type { Logger } from '../../broker/runtime/logger.ts'
import type { ByteStream, Network } from '../../broker/runtime/network.ts'
import { registration, rulesOf } from '../cluster/a-cluster.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'

const logger = { fatal() {}, error() {}, warn() {}, info() {}, debug() {} } as unknown as Logger

/** What connects waits until the test refuses it. */
class RefusingNetwork implements Pick<Network, 'connect'> {
  readonly waiting: ((cause: Error) => void)[] = []

  connect(): Promise<ByteStream> {
    return new Promise((_resolve, reject) => this.waiting.push(reject))
  }

  async refuse(): Promise<void> {
    for (const reject of this.waiting.splice(0)) reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
    for (let turns = 0; turns < 5; turns++) await turn()
  }
}

/** Broker 1, which is the controller, and what another one appends for starts of broker 2. */
async function world() {
  const [table, clock, network] = [new MemoryTable(), new ManualClock(), new RefusingNetwork()]
  const open = () => MetadataLog.open({ table, itemCharactersMax: 10_000, attemptsMax: 5, itemsPerSnapshot: 1_000 })
  const [metadata, elsewhere] = [await open(), await open()]
  const startOf2 = async (incarnation: string) => {
    const key = { partition: sessionsPartition, sort: '2' }
    await table.commit([{ kind: 'put', key, value: { holder: incarnation, facts: null }, expect: 'any' }])
    const introduction = registration(2, { incarnation })
    await elsewhere.change((image) => ({ records: planRegistration(image, introduction, rulesOf), answer: undefined }))
    await metadata.refresh()
  }
  await startOf2('first')
  const member = new ClusterMember({
    config: { id: 1, peer: new Map() } as unknown as Config, clock, network: network as unknown as Network, logger, table, metadata,
    brokerConfig: new BrokerConfig({ brokerId: 1, started: new Map(), image: () => metadata.image }), incarnation: 'one',
    rejoin: async () => {}, onReplaced() {},
  })
  await member.join({ enlist() {}, *[Symbol.iterator]() {} } as unknown as Partitions, registration(1))
  await clock.advance(0)
  return { clock, network, startOf2, isFenced: () => metadata.image.brokers.get(2)!.isFenced }
}

test('a broker that refuses twice is taken for dead', async () => {
  const { clock, network, isFenced } = await world()
  await network.refuse()
  assert.equal(isFenced(), false)
  await clock.advance(20)
  await network.refuse()
  assert.equal(isFenced(), true)
})

test('that one start of a broker refuses is no evidence against the next one', async () => {
  const { clock, network, startOf2, isFenced } = await world()
  await network.refuse()
  await clock.advance(20)
  await startOf2('second')
  await network.refuse()
  assert.equal(isFenced(), false)
})
