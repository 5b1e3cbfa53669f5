import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Producer } from 'kafkajs'
import { places } from '../../scripts/peer/cache.ts'
import { kafkaOf } from '../clients/kafkajs-client.ts'
import { run } from '../interop/shell.ts'
import { committedOffset } from '../support/committed-offset.ts'
import { committedRecords } from '../support/committed-records.ts'
import { judge, type OutputRecord } from './checker.ts'
import { type KillableCluster, startCluster } from './cluster.ts'
import { settings } from './settings.ts'
import { Stability } from './stability.ts'
import { Worker } from './worker.ts'
import { type WorkerKind, workerKinds } from './workers.ts'

const outputPartitions = 6
const recordsMax = 2
const timeoutMs = 10_000
const abortEvery = 10
const output = 'output'
const forsakenEveryMs = 10_000

describe(`consume-transform-produce of ${settings.transactions} transactions under kill -9, brokers: ${settings.brokers}`, () => {
  let cluster: KillableCluster
  let workers: readonly Worker[] = []
  let stability: Stability
  const inputs = new Map<string, number>()
  const brokerKills = { count: 0 }
  const forsaken: Producer[] = []

  before(async () => {
    cluster = await startCluster(settings)
    for (const kind of workerKinds) await fill(kind)
    await createTopic(output, outputPartitions)
    stability = new Stability({ bootstrap: cluster.addresses, topic: output, partitions: outputPartitions, stuckMsMax: timeoutMs + 10_000 })
    workers = workerKinds.map((kind) => new Worker(kind, {
      bootstrap: cluster.addresses.join(','), name: kind.name, input: `input-${kind.name}`, inputPartitions: kind.inputPartitions, output,
      outputPartitions, group: `group-${kind.name}`, workers: kind.workers, recordsMax, timeoutMs, abortEvery,
    }))
  })
  after(async () => {
    await Promise.all([...workers, stability].map((one) => one?.stop()))
    await Promise.all(forsaken.map((producer) => producer.disconnect().catch(() => {})))
    await cluster?.dispose()
  })

  async function createTopic(topic: string, numPartitions: number): Promise<void> {
    const admin = kafkaOf(cluster.addresses.join(',')).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: Math.min(3, settings.brokers) }], waitForLeaders: true })
    await admin.disconnect()
  }

  /** So many records that no fewer transactions than its share can carry them. */
  async function fill({ name, inputPartitions, share }: WorkerKind): Promise<void> {
    const topic = `input-${name}`
    await createTopic(topic, inputPartitions)
    const producer = kafkaOf(cluster.addresses.join(',')).producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const each = Math.ceil((settings.transactions * share * recordsMax) / inputPartitions)
    for (let partition = 0; partition < inputPartitions; partition++) {
      for (let start = 0; start < each; start += 2000) {
        const messages = Array.from({ length: Math.min(2000, each - start) }, (_, index) => ({ partition, value: `${start + index}` }))
        await producer.send({ topic, messages })
      }
      inputs.set(`${topic}-${partition}`, each)
    }
    await producer.disconnect()
  }

  /** Opens a transaction over all of the output and forgets it, so that only its timeout can end it. */
  async function forsake(): Promise<void> {
    const producer = kafkaOf(cluster.addresses.join(',')).producer({
      transactionalId: `forsaken-${forsaken.length}`, transactionTimeout: timeoutMs, idempotent: true, maxInFlightRequests: 1,
    })
    forsaken.push(producer)
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic: output, messages: Array.from({ length: outputPartitions }, (_, partition) => ({ partition, value: 'forsaken' })) })
  }

  /** A broker, a client, a broker, ... until the end. */
  async function killAll(signal: AbortSignal): Promise<void> {
    const brokers = [...cluster.brokers.values()]
    for (let round = 0; !signal.aborted; round++) {
      await sleep(settings.killEveryMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      if (round % 2 === 1) workers[(round >> 1) % workers.length]!.kill()
      else {
        const broker = brokers[(round >> 1) % brokers.length]!
        await broker.stop('SIGKILL')
        brokerKills.count++
        await sleep(500)
        await broker.start()
      }
    }
  }

  /** Inputs that no committed offset covers; undefined where nobody could say. */
  async function left(): Promise<number | undefined> {
    let sum = 0
    for (const { name, inputPartitions } of workerKinds) {
      for (let partition = 0; partition < inputPartitions; partition++) {
        const place = { group: `group-${name}`, topic: `input-${name}`, partition }
        const answers = await Promise.allSettled(cluster.addresses.map((address) => committedOffset(address, place)))
        const known = answers.find((answer) => answer.status === 'fulfilled')
        if (known === undefined) return undefined
        sum += inputs.get(`${place.topic}-${partition}`)! - Math.max(known.value, 0)
      }
    }
    return sum
  }

  async function drained(): Promise<void> {
    let before = performance.now()
    for (const deadline = before + settings.withinMs; ; await sleep(500)) {
      const now = await left()
      if (now === 0) return
      const told = workers.map(({ options, committed, troubles, complaints }) => `${options.name}: ${committed.size} committed, ${troubles} troubles\n  ${complaints.slice(-4).join('\n  ')}`)
      assert.ok(performance.now() < deadline, `${now ?? '?'} inputs are left\n${told.join('\n')}`)
      if (performance.now() - before < 10_000) continue
      before = performance.now()
      console.error(`transactions: ${now ?? '?'} inputs left; ${workers.map(({ options, committed, troubles, kills }) => `${options.name} ${committed.size} (${troubles} troubles, ${kills} kills)`).join(', ')}; ${brokerKills.count} broker kills`)
    }
  }

  test('transforms every input exactly once; nothing is torn, aborted and seen, or stuck', async (context) => {
    const started = performance.now()
    const stop = new AbortController()
    const kills = killAll(stop.signal)
    const forsaking = setInterval(() => void forsake().catch(() => {}), forsakenEveryMs)
    await forsake()
    try {
      await drained()
    } finally {
      clearInterval(forsaking)
      stop.abort()
      await kills
    }
    const seconds = (performance.now() - started) / 1000
    await Promise.all(workers.map((worker) => worker.stop()))
    assert.ok(await stability.settles(), 'partitions are not stable to their ends when all transactions have timed out')
    await stability.stop()

    const seen: OutputRecord[] = []
    const disputed: string[] = []
    for (let partition = 0; partition < outputPartitions; partition++) {
      const read = await committedRecords(cluster.addresses[0]!, { topic: output, partition })
      seen.push(...read.records.map(({ value }) => ({ partition, value: `${value}` })))
      disputed.push(...read.disputed.map((offset) => `disputed: partition ${partition} at ${offset}`))
    }
    const verdict = judge({
      inputs, output: seen,
      topicOf: (token) => `input-${workerKinds.find(({ name }) => token.startsWith(`${name}-`))?.name}`,
      committed: new Set(workers.flatMap(({ committed }) => [...committed])),
      aborted: new Set(workers.flatMap(({ aborted }) => [...aborted])),
    })
    const sum = (of: (worker: Worker) => number): number => workers.reduce((total, worker) => total + of(worker), 0)
    context.diagnostic(
      `${verdict.transactions} transactions seen in ${seconds.toFixed(0)} s (${(verdict.transactions / seconds).toFixed(0)}/s), ` +
        `${sum(({ aborted }) => aborted.size)} aborted, ${forsaken.length} forsaken; ${brokerKills.count} kills of brokers, ${sum(({ kills: of }) => of)} of clients, ` +
        `${sum(({ troubles }) => troubles)} troubles of clients; longest time at one stable offset ${(stability.longestMs / 1000).toFixed(1)} s in ${stability.samples} samples`,
    )
    for (const worker of workers) context.diagnostic(`${worker.options.name}: ${worker.committed.size} committed, last trouble: ${worker.complaints.at(-1) ?? 'none'}`)
    assert.deepEqual([...verdict.violations, ...disputed, ...stability.violations].slice(0, 20), [])
    assert.ok(verdict.transactions >= settings.transactions, `only ${verdict.transactions} transactions`)
    assert.ok(sum(({ aborted }) => aborted.size) > 0 && brokerKills.count > 0 && sum(({ kills: of }) => of) > 0, 'nothing was aborted or killed')
    await assertLibrdkafkaSees(seen)
  })

  /** A second opinion: librdkafka reads the same, in the same order. */
  async function assertLibrdkafkaSees(seen: readonly OutputRecord[]): Promise<void> {
    for (let partition = 0; partition < outputPartitions; partition++) {
      const script = 'import sys; from confluent_kafka import *; c = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "g", ' +
        '"enable.partition.eof": True, "isolation.level": "read_committed"}); c.assign([TopicPartition(sys.argv[2], int(sys.argv[3]), 0)])\n' +
        'while True:\n m = c.poll(30)\n if m is None or m.error(): sys.exit(0 if m is not None and m.error().code() == KafkaError._PARTITION_EOF else 1)\n print(m.value().decode())'
      const { status, stdout, stderr } = await run(places.python, ['-c', script, cluster.addresses.join(','), output, String(partition)], { limitSeconds: 120 })
      assert.equal(status, 0, stderr)
      const values = stdout.trimEnd().split('\n')
      assert.deepEqual(values, seen.filter((record) => record.partition === partition).map(({ value }) => value))
    }
  }
})
