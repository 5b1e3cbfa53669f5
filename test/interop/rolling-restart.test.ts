// A planned stop, and a rolling restart, under clients that are not ours, with their own defaults: Kafka's Java client,
// librdkafka and kafkajs produce and consume all the time. Nobody sees an error, every acknowledged record is read where it
// was acknowledged, once and in order. How long writes wait is measured and printed; it is judged only where it is so long
// that no busy machine explains it. With `--against apache-kafka`: the same with three brokers of Apache Kafka.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ApacheKafkaCluster } from '../../scripts/peer/apache-kafka-cluster.ts'
import { places } from '../../scripts/peer/cache.ts'
import { classPath, javaOptions } from '../../scripts/peer/kafka-tools.ts'
import { kafkaOf } from '../clients/kafkajs-client.ts'
import { ClusterProcess } from '../support/cluster-process.ts'
import { brokenPromises, type Phase, readAgain, type Waits, waitsOf } from './steady-checks.ts'
import { SteadyClient, type SteadyProgram } from './steady-client.ts'

const brokerIds = [1, 2, 3]
const partitions = 3
const everyMs = 40
/** What issue 4 promises of a machine that has nothing else to do. */
const gapMsPromised = 300
/** Longer than any client pauses by itself; on a busy machine, by what its clients wait without any restart. */
const gapMsMax = (before: Waits) => 3_000 + 10 * before.gapMsMax
const restMs = 1_000

const steady = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const javaProgram = { command: 'java', args: [...javaOptions, '-cp', `${places.classes}:${classPath}`, 'Steady'] }
const pythonProgram = { command: places.python, args: [steady('python/steady.py')] }
const kafkajsProgram = { command: process.execPath, args: [steady('steady-kafkajs.ts')] }

const kafkajsProducer = { idempotent: true, maxInFlightRequests: 1 }

interface Kind {
  readonly name: string
  readonly program: SteadyProgram
  readonly producer: Readonly<Record<string, unknown>>
  readonly consumer: Readonly<Record<string, unknown>>
}

const kinds: readonly Kind[] = [
  { name: 'java', program: javaProgram, producer: {}, consumer: {} },
  { name: 'java, KIP-848', program: javaProgram, producer: {}, consumer: { 'group.protocol': 'consumer' } },
  // Not its default, and without it librdkafka promises neither order nor that nothing is written twice.
  { name: 'librdkafka', program: pythonProgram, producer: { 'enable.idempotence': true }, consumer: {} },
  // Likewise.
  { name: 'kafkajs', program: kafkajsProgram, producer: kafkajsProducer, consumer: {} },
  // By itself it waits 240 ms or more before it repeats anything, which is most of what may be waited in all.
  { name: 'kafkajs, retry 50 ms', program: kafkajsProgram, producer: { ...kafkajsProducer, retry: { initialRetryTime: 50 } }, consumer: {} },
]

interface Cluster {
  readonly bootstrap: string
  broker(id: number): { stop(signal?: NodeJS.Signals): Promise<void>; start(): Promise<unknown> }
  dispose(): Promise<void>
}

async function startOurs(): Promise<Cluster> {
  const cluster = await ClusterProcess.start({ ids: brokerIds })
  const bootstrap = [...cluster.brokers.values()].map((broker) => broker.bootstrap).join(',')
  return { bootstrap, broker: (id) => cluster.broker(id), dispose: () => cluster.dispose() }
}

async function startApacheKafka(): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), 'apache-kafka-'))
  const settings = { 'offsets.topic.num.partitions': '6' }
  const cluster = await (await ApacheKafkaCluster.create({ directory, heap: '512M', settings })).start()
  const dispose = async () => {
    await cluster.stop('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  return { bootstrap: cluster.bootstrap, broker: (id) => cluster.broker(id), dispose }
}

describe('a rolling restart under clients of three makers', () => {
  let cluster: Cluster
  const clients = new Map<string, SteadyClient>()

  before(async () => {
    cluster = await (process.env['LONGTAIL_TEST_BROKER'] === 'apache-kafka' ? startApacheKafka() : startOurs())
  })
  after(async () => {
    await Promise.all([...clients.values()].map((client) => client.end()))
    await cluster.dispose()
  })

  test('shows them no error, loses nothing and writes nothing twice', async (t) => {
    const admin = await watching(cluster.bootstrap)
    const topics = kinds.map((_, index) => `steady-${index}`)
    try {
      await until('everybody knows of everybody', async () => (await admin.brokerCount()) === brokerIds.length)
      await admin.createTopics(topics)
      kinds.forEach(({ name, program, producer, consumer }, index) => {
        const of = { topic: topics[index]!, group: topics[index]!, partitions, everyMs, producer, consumer }
        clients.set(name, new SteadyClient(program, { bootstrap: cluster.bootstrap, ...of }))
      })
      const hasBegun = ({ acked, reads }: SteadyClient) => acked.length > 300 && reads.length > 300
      await until('everybody writes and reads', () => [...clients.values()].every(hasBegun))
      const phases = await restart(cluster, () => admin.inSync(topics))
      await Promise.all([...clients.values()].map((client) => client.stopProducing()))
      await until('everything is read', () => [...clients.values()].every(hasReadAll)).catch(() => {})
      print(t, clients, phases)
      for (const [name, client] of clients) {
        assert.deepEqual(brokenPromises(client), [], name)
        assert.ok(client.acked.length > 1_000, `${name} wrote next to nothing`)
        const limit = gapMsMax(waitsOf(client, phases.get('before')!))
        for (const [phase, span] of phases) {
          const longest = waitsOf(client, span).gapMsMax
          assert.ok(longest <= limit, `${phase}: ${name} waited ${longest} ms, and ${limit} ms are more than a busy machine explains`)
        }
      }
    } finally {
      await admin.disconnect()
    }
  })
})

/** One planned stop and return, then each broker in turn, as docs/operations.md says: only when all are in sync again. */
async function restart(cluster: Cluster, inSync: () => Promise<boolean>): Promise<Map<string, Phase>> {
  const phases = new Map<string, Phase>()
  const during = async (name: string, work: () => Promise<unknown>) => {
    const start = Date.now()
    await work()
    phases.set(name, { start, end: Date.now() })
  }
  const comeBack = async (id: number) => {
    await cluster.broker(id).start()
    await until('everybody is in sync again', inSync)
    await sleep(restMs)
  }
  await until('everybody is in sync', inSync)
  await during('before', () => sleep(3 * restMs))
  await during('planned stop', () => cluster.broker(2).stop().then(() => sleep(restMs)))
  await during('return', () => comeBack(2))
  await during('rolling restart', async () => {
    for (const id of brokerIds) {
      await cluster.broker(id).stop()
      await comeBack(id)
    }
  })
  return phases
}

function print(t: TestContext, clients: ReadonlyMap<string, SteadyClient>, phases: ReadonlyMap<string, Phase>): void {
  t.diagnostic('client | phase | acked | gap p50, ms | longest gap | ack p50 | longest ack | longest gap of reads | verdict')
  for (const [name, client] of clients) {
    for (const [phase, span] of phases) {
      const { count, gapMedianMs, gapMsMax, ackMedianMs, ackMsMax, readGapMsMax } = waitsOf(client, span)
      const verdict = gapMsMax <= gapMsPromised ? 'good' : 'late'
      t.diagnostic([name, phase, count, gapMedianMs, gapMsMax, ackMedianMs, ackMsMax, readGapMsMax, verdict].join(' | '))
    }
    const { errors, notices, assignedAt } = client
    const counts = [`${errors.length} errors`, `${notices.length} notices`, `${assignedAt.length} assignments`, `${readAgain(client)} read again`]
    t.diagnostic(`${name}: ${counts.join(', ')}`)
    for (const [notice, count] of kindsOf(notices)) t.diagnostic(`${name}: ${count} x ${notice}`)
  }
}

/** Without what is different in each: times, numbers, addresses. */
function kindsOf(notices: readonly string[]): Map<string, number> {
  const kindOf = (notice: string) => notice.replace(/^\S*\d{2}:\d{2}:\S+ /, '').replace(/%3\|[\d.]+\|/, '').replace(/\d+/g, 'N').slice(0, 150)
  const kinds = Map.groupBy(notices, kindOf)
  return new Map([...kinds].map(([kind, all]) => [kind, all.length]))
}

function hasReadAll({ acked, reads }: SteadyClient): boolean {
  return new Set(reads.map(({ partition, offset }) => `${partition}/${offset}`)).size >= acked.length
}

async function watching(bootstrap: string) {
  const admin = kafkaOf(bootstrap).admin()
  await admin.connect()
  return {
    /** The least that any broker knows of. */
    async brokerCount(): Promise<number> {
      const known = await Promise.all(bootstrap.split(',').map(brokersKnownTo))
      return Math.min(...known)
    },
    createTopics: (topics: readonly string[]) =>
      admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: partitions, replicationFactor: 3 })) }),
    async inSync(topics: readonly string[]): Promise<boolean> {
      const found = await admin.fetchTopicMetadata({ topics: [...topics] }).catch(() => ({ topics: [] }))
      const all = found.topics.flatMap((topic) => topic.partitions)
      return all.length === topics.length * partitions && all.every(({ isr, leader }) => isr.length === brokerIds.length && leader >= 0)
    },
    disconnect: () => admin.disconnect(),
  }
}

async function brokersKnownTo(address: string): Promise<number> {
  const admin = kafkaOf(address).admin()
  await admin.connect()
  try {
    return (await admin.describeCluster()).brokers.length
  } finally {
    await admin.disconnect()
  }
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 120_000; !(await isSo()); await sleep(100)) {
    assert.ok(Date.now() < deadline, `not within two minutes: ${what}`)
  }
}
