// Kafka Streams, unchanged, with exactly_once_v2: a word count, a count by window and a join of a stream with a table give
// the right answer, step by step, while brokers and instances are killed. Then both instances lose their disks, when the
// older part of their changelogs is in the object store only.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kafkaOf } from '../../clients/kafkajs-client.ts'
import { committedRecords, startsOf } from '../../support/committed-records.ts'
import { ExactProducer } from '../../support/exact-producer.ts'
import { brokerCount } from '../../support/test-broker.ts'
import { type KillableCluster, startCluster } from '../../transactions/cluster.ts'
import { type Answer, answerTo, differences, type InputRecord, makeInput, partitions } from './input.ts'
import { StreamsInstance } from './instance.ts'

const isApacheKafka = process.env['LONGTAIL_TEST_BROKER'] === 'apache-kafka'
const applicationId = 'applications'
const inputTopics = ['lines', 'clicks', 'customers', 'orders']
const outputTopics = ['word-counts', 'window-counts', 'joined']
const repartitionTopic = `${applicationId}-words-repartition`
const changelogTopic = `${applicationId}-counts-changelog`
/** The older part of a changelog goes to the object store after a moment, and from the disks as soon as it is there. */
const topicConfigs = { 'segment.ms': '2000', 'segment.bytes': '1048576', 'local.retention.ms': '1000' }
const sizes = { lines: 12_000, clicks: 12_000, orders: 6_000 }
/** Once the instances have no disks: enough to meet every word again. */
const laterLines = 1_500

describe('Kafka Streams applications', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'longtail-streams-'))
  const input = makeInput({ seed: 5, startMs: Date.now() - 3_600_000, ...sizes })
  const live = input.live.filter((_, index) => index < input.live.length - laterLines)
  const later = input.live.slice(live.length)
  let cluster: KillableCluster
  let instances: readonly StreamsInstance[] = []
  let producer: ExactProducer

  before(async () => {
    cluster = await startCluster({ brokers: brokerCount, isApacheKafka })
    const admin = kafkaOf(cluster.addresses.join(',')).admin()
    await admin.connect()
    const replicationFactor = Math.min(3, brokerCount)
    await admin.createTopics({ topics: [...inputTopics, ...outputTopics].map((topic) => ({ topic, numPartitions: partitions, replicationFactor })), waitForLeaders: true })
    await admin.disconnect()
    producer = await ExactProducer.open(cluster.addresses)
    instances = ['one', 'other'].map((name) => new StreamsInstance({
      bootstrap: cluster.addresses.join(','), applicationId, stateDirectory: join(scratch, name), replicationFactor, topicConfigs,
    }))
  })
  after(async () => {
    await Promise.all(instances.map((instance) => instance.kill()))
    producer?.close()
    await cluster?.dispose()
    rmSync(scratch, { recursive: true, force: true })
  })

  async function send(records: readonly InputRecord[]): Promise<void> {
    const byPartition = Map.groupBy(records, ({ topic, partition }) => `${topic} ${partition}`)
    await Promise.all([...byPartition.values()].map(([first, ...rest]) => producer.send(first!, [first!, ...rest].map(
      ({ key, value, timestamp }) => ({ key: Buffer.from(key), value: Buffer.from(value), timestamp }),
    ))))
  }

  async function results(): Promise<Answer> {
    const found = new Map<string, string[]>()
    for (const topic of outputTopics) {
      for (let partition = 0; partition < partitions; partition++) {
        const { records, disputed } = await eventually(() => committedRecords(cluster.addresses[0]!, { topic, partition }))
        assert.deepEqual(disputed, [])
        for (const { key, value } of records) found.set(`${topic} ${key}`, [...(found.get(`${topic} ${key}`) ?? []), `${value}`])
      }
    }
    return found
  }

  const countOf = (answer: Answer) => [...answer.values()].reduce((sum, values) => sum + values.length, 0)

  async function assertAnswers(records: readonly InputRecord[], withinMs: number): Promise<void> {
    const answer = answerTo(records)
    let found = await results()
    for (const deadline = performance.now() + withinMs; countOf(found) < countOf(answer) && performance.now() < deadline; found = await results()) await sleep(1000)
    const wrong = differences(found, answer)
    assert.equal(wrong.length, 0, `${countOf(found)} results of ${countOf(answer)}\n${wrong.slice(0, 10).join('\n')}\n${instances.map(({ output }) => output).join('\n\n')}`)
  }

  /** Sends what is live, some of it at a time, while somebody is killed now and then. */
  async function sendUnderKills(): Promise<{ brokers: number; instances: number }> {
    const kills = { brokers: 0, instances: 0 }
    const brokers = [...cluster.brokers.values()]
    const steps = 6
    const each = Math.ceil(live.length / steps)
    for (let step = 0; step < steps; step++) {
      for (let start = step * each; start < Math.min((step + 1) * each, live.length); start += 1000) {
        await send(live.slice(start, Math.min(start + 1000, (step + 1) * each)))
        await sleep(100)
      }
      await sleep(isApacheKafka ? 15_000 : 4_000)
      if (step % 2 === 0) {
        const victim = instances[kills.instances++ % instances.length]!
        await victim.kill()
        victim.start()
      } else {
        const victim = brokers[kills.brokers++ % brokers.length]!
        await victim.stop('SIGKILL')
        await victim.start()
      }
    }
    return kills
  }

  test('count and join exactly once while brokers and instances are killed', async (context) => {
    await send(input.joined)
    for (const instance of instances) instance.start()
    await until('an instance runs', () => instances.some(({ state }) => state === 'RUNNING'), 60_000)
    const kills = await sendUnderKills()
    await assertAnswers([...input.joined, ...live], 120_000)
    context.diagnostic(`${kills.brokers} brokers and ${kills.instances} instances killed, ${instances.flatMap(({ troubles }) => troubles).length} threads replaced`)
  })

  test('keep standby replicas of their stores', async () => {
    await until('a standby takes over records', () => instances.some(({ standbyRecords }) => standbyRecords > 0), 60_000)
  })

  test('purge what they have read of the topics between their parts', async () => {
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic: repartitionTopic, partition }))
    for (const place of places) await eventually(async () => assert.ok((await startsOf(cluster.addresses[0]!, place)).log > 0, 'nothing was purged'))
  })

  test('rebuild their stores from changelogs whose older part is in the object store only', async (context) => {
    await Promise.all(instances.map((instance) => instance.kill()))
    for (const name of ['one', 'other']) rmSync(join(scratch, name), { recursive: true, force: true })
    const starts = await Promise.all(Array.from({ length: partitions }, (_, partition) => eventually(async () => {
      const found = await startsOf(cluster.addresses[0]!, { topic: changelogTopic, partition })
      // Apache Kafka does not tier what is compacted.
      assert.ok(isApacheKafka || found.local > found.log, `all of ${changelogTopic}-${partition} is on the disk: ${JSON.stringify(found)}`)
      return found
    }, 90_000)))
    for (const instance of instances) instance.restored.length = 0
    instances[0]!.start()
    await send(later)
    await assertAnswers([...input.joined, ...live, ...later], 120_000)
    for (const [partition, { log, local }] of starts.entries()) {
      const restored = instances[0]!.restored.filter((one) => one.topic === changelogTopic && one.partition === partition)
      const [first] = restored
      assert.ok(first !== undefined && first.records > 0, `the store of partition ${partition} was not restored`)
      assert.ok(isApacheKafka || first.from < local, `it was restored from ${first.from}, and the disk has it from ${local}`)
      context.diagnostic(`partition ${partition}: begins at ${log}, on the disk at ${local}, ${first.records} records restored`)
    }
  })
})

async function until(what: string, isTrue: () => boolean, withinMs: number): Promise<void> {
  for (const deadline = performance.now() + withinMs; !isTrue(); await sleep(100)) {
    assert.ok(performance.now() < deadline, `not within ${withinMs} ms: ${what}`)
  }
}

/** The first answer that is one, while brokers come back and work goes on. */
async function eventually<T>(ask: () => Promise<T>, withinMs = 60_000): Promise<T> {
  for (const deadline = performance.now() + withinMs; ; await sleep(500)) {
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
  }
}
