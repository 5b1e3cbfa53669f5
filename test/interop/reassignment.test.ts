// Kafka's tools move the partitions of three brokers in processes of their own, while a producer that waits for every in-sync
// replica goes on. Nothing fails, nothing is lost, and what has left a broker is gone from its disk.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { toolArguments } from '../../scripts/peer/kafka-tools.ts'
import { kafkaOf } from '../clients/kafkajs-client.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { run, tool } from './shell.ts'

const topic = 'orders'

describe("Kafka's tools for whole clusters", () => {
  const scratch = mkdtempSync(join(tmpdir(), 'longtail-cluster-'))
  const brokers: BrokerProcess[] = []

  before(async () => {
    for (const id of [1, 2, 3]) brokers.push(await startBroker(id))
  })
  after(async () => {
    await Promise.all(brokers.map((broker) => broker.dispose()))
    rmSync(scratch, { recursive: true, force: true })
  })

  const startBroker = (id: number) => BrokerProcess.start({
    data: join(scratch, `broker-${id}`),
    flags: [
      '--id', String(id), '--rack', `rack-${id}`, '--table', `sqlite:${join(scratch, 'table.db')}`,
      '--objects', `file:${join(scratch, 'objects')}`, '--log-level', 'info',
    ],
    settings: { 'default.replication.factor': '2', 'min.insync.replicas': '2', 'auto.create.topics.enable': 'false' },
  })
  const call = (name: string, ...args: string[]) => tool(name, ['--bootstrap-server', brokers[1]!.bootstrap, ...args])
  const unregister = (id: number) => ['unregister', '--bootstrap-server', brokers[1]!.bootstrap, '--id', String(id)]
  const assignment = (replicas: readonly (readonly number[])[]) => {
    const path = join(scratch, 'assignment.json')
    writeFileSync(path, JSON.stringify({ version: 1, partitions: replicas.map((ids, partition) => ({ topic, partition, replicas: ids })) }))
    return ['--reassignment-json-file', path]
  }
  const until = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    for (const deadline = Date.now() + 60_000; !(await isSo()); await sleep(100)) assert.ok(Date.now() < deadline, `not within a minute: ${what}`)
  }
  const logsOf = (id: number) => {
    const directory = join(scratch, `broker-${id}`, 'logs')
    return existsSync(directory) ? readdirSync(directory).length : 0
  }
  const leadersIn = (text: string) => [...text.matchAll(/Leader: (\d)/g)].map(([, id]) => Number(id))

  test('partitions leave a broker while they are written to, and it is unregistered', async () => {
    await call('kafka-topics', '--create', '--topic', topic, '--replica-assignment', '1:2,3:1,2:3')
    const producing = startProducing(brokers.map(({ bootstrap }) => bootstrap))
    await until('a hundred records are written', () => producing.values.length > 100)
    const moved = assignment([[3, 2], [3, 2], [2, 3]])
    assert.match(await call('kafka-reassign-partitions', ...moved, '--execute'), /Successfully started/)
    await until('the partitions are moved', async () => /is completed[^]*is completed/.test(await call('kafka-reassign-partitions', ...moved, '--verify')))
    assert.match(await call('kafka-reassign-partitions', '--list'), /No partition reassignments found/)
    await until('the files are gone', () => logsOf(1) === 0)
    await call('kafka-leader-election', '--election-type', 'preferred', '--all-topic-partitions')
    assert.deepEqual(leadersIn(await call('kafka-topics', '--describe', '--topic', topic)), [3, 3, 2])
    await sleep(500)
    await producing.stop()
    const found = await readAll(brokers[1]!.bootstrap)
    assert.deepEqual(producing.values.filter((value) => !found.has(value)), [])

    const refused = await run('java', toolArguments('kafka-cluster', unregister(1)))
    assert.match(refused.stdout + refused.stderr, /PolicyViolationException.*it has to be stopped first/)
    await brokers[0]!.stop()
    assert.match(await tool('kafka-cluster', unregister(1)), /no longer registered/)
  })

  test('a move to a broker that is away is listed, and can be called off', async () => {
    await brokers[0]!.start()
    await brokers[0]!.stop('SIGKILL')
    const moved = assignment([[1, 2]])
    // The tool itself asks nobody for a broker that does not serve.
    const admin = kafkaOf(brokers[1]!.bootstrap).admin()
    await admin.connect()
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment: [{ partition: 0, replicas: [1, 2] }] }] })
    await admin.disconnect()
    assert.match(await call('kafka-reassign-partitions', '--list'), /orders-0: replicas: 1,2,3\. adding: 1\. removing: 3\./)
    assert.match(await call('kafka-reassign-partitions', ...moved, '--verify'), /orders-0 is still in progress/)
    // Otherwise it would ask each broker by itself to take throttles away, and wait for the one that is down.
    assert.match(await call('kafka-reassign-partitions', ...moved, '--cancel', '--preserve-throttles'), /Successfully cancelled/)
    assert.match(await call('kafka-reassign-partitions', '--list'), /No partition reassignments found/)
  })

  test('a broker is added and gets its share, and another one is emptied, while partitions are written to', async () => {
    brokers.push(await startBroker(4))
    const producing = startProducing(brokers.slice(1).map(({ bootstrap }) => bootstrap))
    const configure = (...args: string[]) => call('kafka-configs', '--entity-type', 'brokers', '--alter', '--add-config', ...args)
    assert.equal(logsOf(4), 0)
    await configure('auto.replica.rebalance.enable=true', '--entity-default')
    await until('the new broker has replicas', () => logsOf(4) > 0)
    await configure('broker.drain=true', '--entity-name', '3')
    await until('the other one has none', () => logsOf(3) === 0)
    await until('it is told to be empty', () => brokers.some(({ output }) => output.includes('can be stopped and unregistered')))
    await call('kafka-topics', '--create', '--topic', 'later', '--partitions', '6', '--replication-factor', '2')
    assert.equal(logsOf(3), 0, 'nothing new comes to it')
    await brokers[2]!.stop()
    await sleep(500)
    await producing.stop()
    const found = await readAll(brokers[1]!.bootstrap)
    assert.deepEqual(producing.values.filter((value) => !found.has(value)), [])
    assert.match(await tool('kafka-cluster', unregister(3)), /no longer registered/)
  })
})

/** Writes values to all partitions, one after the other in each; `values` are those that were acknowledged. */
function startProducing(bootstraps: readonly string[]) {
  const producer = kafkaOf(bootstraps[1]!).producer({ allowAutoTopicCreation: false, idempotent: true, maxInFlightRequests: 1 })
  const values: string[] = []
  let isStopped = false
  const write = async (partition: number) => {
    for (let count = 0; !isStopped; count++) {
      const value = `${partition}/${count}`
      await producer.send({ topic, acks: -1, messages: [{ partition, value }] })
      values.push(value)
    }
  }
  const done = producer.connect().then(() => Promise.all([0, 1, 2].map(write)))
  // What fails is told by whoever stops it.
  done.catch(() => {})
  return {
    values,
    async stop() {
      isStopped = true
      await done
      await producer.disconnect()
    },
  }
}

async function readAll(bootstrap: string): Promise<ReadonlySet<string>> {
  const kafka = kafkaOf(bootstrap)
  const admin = kafka.admin()
  await admin.connect()
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]))
  await admin.disconnect()
  const consumer = kafka.consumer({ groupId: 'reader' })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const found = new Set<string>()
  await new Promise<void>((resolve, reject) => {
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        found.add(String(message.value))
        if (Number(message.offset) + 1 >= ends.get(partition)!) ends.delete(partition)
        if (ends.size === 0) resolve()
      },
    }).catch(reject)
  })
  await consumer.disconnect()
  return found
}
