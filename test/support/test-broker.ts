// The broker that a file of tests talks to: ours in a process of its own, unless the environment says otherwise. Running
// the same tests against Apache Kafka is how we know that they test what Kafka does.
//
//   LONGTAIL_TEST_BOOTSTRAP=HOST:PORT      one that runs already; tests that restart it are skipped
//   LONGTAIL_TEST_BROKERS=3                so many, a cluster; ours on DynamoDB and S3 with LONGTAIL_LOCALSTACK_URL
//   LONGTAIL_TEST_BROKER=apache-kafka      Apache Kafka, from what scripts/peer/setup.ts installed

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { ApacheKafka } from '../../scripts/peer/apache-kafka.ts'
import { ApacheKafkaCluster } from '../../scripts/peer/apache-kafka-cluster.ts'
import { freePort } from './answering.ts'
import { BrokerProcess } from './broker-process.ts'
import { ClusterProcess } from './cluster-process.ts'
import { localstackStores } from './localstack-stores.ts'

export interface TestBroker {
  readonly bootstrap: string
  readonly canRestart: boolean
  /** Stops it in order, or kills it, and starts it on the same data. */
  restart(signal?: NodeJS.Signals): Promise<void>
}

/** So many brokers, wherever they come from. */
export const brokerCount = Number(process.env['LONGTAIL_TEST_BROKERS'] ?? 1)

const brokerIds = Array.from({ length: brokerCount }, (_, index) => index + 1)

/** Settings under which the suites of clients run, here as on Apache Kafka. */
export const suiteSettings = { 'num.partitions': '4', 'group.initial.rebalance.delay.ms': '0' }

/** Members of KIP-848's groups are told by the broker how long they may be silent; here, not for long. */
export const consumerGroupSettings = {
  ...suiteSettings,
  'group.consumer.session.timeout.ms': '6000',
  'group.consumer.heartbeat.interval.ms': '500',
  'group.consumer.min.session.timeout.ms': '6000',
  'group.consumer.min.heartbeat.interval.ms': '500',
}

interface Started {
  readonly broker: {
    readonly bootstrap: string
    stop(signal?: NodeJS.Signals): Promise<void>
    start(signal?: NodeJS.Signals): Promise<unknown>
  }
  dispose(): Promise<void>
}

/** Started before the tests of the file or suite, ended after them. */
export function testBroker(settings: Readonly<Record<string, string>> = suiteSettings): TestBroker {
  const given = process.env['LONGTAIL_TEST_BOOTSTRAP']
  if (given !== undefined)
    return { bootstrap: given, canRestart: false, restart: () => Promise.reject(new Error('not ours to restart')) }
  let broker: Started['broker'] | undefined
  let dispose = async () => {}
  before(async () => {
    const made =
      process.env['LONGTAIL_TEST_BROKER'] === 'apache-kafka' ? await startApacheKafka(settings) : await startOurs(settings)
    broker = made.broker
    dispose = made.dispose
  })
  after(() => dispose())
  const running = () => {
    if (broker === undefined) throw new Error('the broker is started before the tests, not while they are collected')
    return broker
  }
  return {
    get bootstrap() {
      return running().bootstrap
    },
    canRestart: true,
    async restart(signal) {
      await running().stop(signal)
      await running().start(signal)
    },
  }
}

async function startOurs(settings: Readonly<Record<string, string>>): Promise<Started> {
  if (brokerCount > 1) return startCluster(settings)
  const broker = await BrokerProcess.start({ settings })
  return { broker, dispose: () => broker.dispose() }
}

async function startCluster(settings: Readonly<Record<string, string>>): Promise<Started> {
  const url = process.env['LONGTAIL_LOCALSTACK_URL']
  const cluster = await ClusterProcess.start({
    ids: brokerIds, settings,
    ...(url === undefined ? {} : await localstackStores(url)),
  })
  return { broker: oneOf([...cluster.brokers.values()]), dispose: () => cluster.dispose() }
}

/** The brokers of a cluster, as if they were one. */
function oneOf(members: readonly Started['broker'][]): Started['broker'] {
  return {
    bootstrap: members.map(({ bootstrap }) => bootstrap).join(','),
    // One after another, so that there is always somebody to lead.
    stop: async () => {},
    async start(signal) {
      for (const member of members) {
        await member.stop(signal)
        await member.start()
      }
    },
  }
}

async function startApacheKafka(settings: Readonly<Record<string, string>>): Promise<Started> {
  const directory = mkdtempSync(join(tmpdir(), 'apache-kafka-'))
  if (brokerCount > 1) return startApacheKafkaCluster(directory, settings)
  const broker = new ApacheKafka({ directory, port: await freePort(), controllerPort: await freePort(), settings, heap: '512M' })
  await broker.start()
  const dispose = async () => {
    await broker.stop('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  return { broker, dispose }
}

async function startApacheKafkaCluster(directory: string, settings: Readonly<Record<string, string>>): Promise<Started> {
  const cluster = await ApacheKafkaCluster.create({
    directory, ids: brokerIds, heap: '512M',
    // Ours always does this (KIP-392).
    settings: { 'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector', ...settings },
  })
  await cluster.start()
  const dispose = async () => {
    await cluster.stop('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  return { broker: oneOf([...cluster.brokers.values()]), dispose }
}
