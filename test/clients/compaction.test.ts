// A compacted topic on local disk, as a client sees it: kafkajs writes with every codec and reads, against a broker that is a
// process of its own and is killed while it compacts.

import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { BrokerProcess } from '../support/broker-process.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { kafkaOf } from './kafkajs-client.ts'

const { CompressionTypes } = kafkajs
const codecs = [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD]
const configs = {
  'cleanup.policy': 'compact', 'remote.storage.enable': 'false', 'segment.bytes': '30000', 'segment.ms': '500',
  'min.cleanable.dirty.ratio': '0.01', 'delete.retention.ms': '1500',
}

interface Seen {
  readonly key: string
  readonly value: string | null
}

let broker: BrokerProcess
before(async () => {
  broker = await BrokerProcess.start({ settings: { 'log.cleaner.backoff.ms': '0', 'num.partitions': '1' } })
})
after(() => broker.dispose())

async function createTopic(topic: string): Promise<void> {
  const admin = kafkaOf(broker.bootstrap).admin()
  await admin.connect()
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }], waitForLeaders: true })
  await admin.disconnect()
}

/** What was written, by offset: what a reader gets must be of that, and at the same offset. */
class Written {
  readonly records = new Map<number, Seen>()
  readonly #topic: string
  readonly #random: SeededRandom

  constructor(topic: string, seed: number) {
    this.#topic = topic
    this.#random = new SeededRandom(seed)
  }

  /** Batches of updates of some keys, each with another codec than the one before. */
  async write({ batches, keys }: { readonly batches: number; readonly keys: number }): Promise<void> {
    for (let index = 0; index < batches; index++) {
      await this.send(Array.from({ length: 1 + this.#random.below(20) }, () => ({
        key: `key-${this.#random.below(keys)}`, value: `${this.#random.fraction()} ${'x'.repeat(this.#random.below(200))}`,
      })), codecs[index % codecs.length]!)
    }
  }

  async send(messages: readonly Seen[], compression = CompressionTypes.None): Promise<void> {
    const producer = kafkaOf(broker.bootstrap).producer({ idempotent: this.#random.chance(0.5) })
    await producer.connect()
    const [sent] = await producer.send({ topic: this.#topic, messages: [...messages], acks: -1, compression })
    await producer.disconnect()
    for (const [index, message] of messages.entries()) this.records.set(Number(sent!.baseOffset) + index, message)
  }

  /** The offset of the newest value of each key. */
  get newest(): Map<string, number> {
    return new Map([...this.records].sort(([one], [other]) => one - other).map(([offset, { key }]) => [key, offset]))
  }

  async read(): Promise<Map<number, Seen>> {
    const kafka = kafkaOf(broker.bootstrap)
    const last = Math.max(...this.records.keys())
    const consumer = kafka.consumer({ groupId: `reader-${this.#topic}-${this.#random.fraction()}`, maxWaitTimeInMs: 50 })
    const seen = new Map<number, Seen>()
    const done = Promise.withResolvers<void>()
    await consumer.connect()
    await consumer.subscribe({ topic: this.#topic, fromBeginning: true })
    await consumer.run({
      eachBatch: async ({ batch }) => {
        for (const { offset, key, value } of batch.messages) seen.set(Number(offset), { key: String(key), value: value?.toString() ?? null })
        if (Number(batch.lastOffset()) >= last) done.resolve()
      },
    })
    await Promise.race([done.promise, sleep(60_000).then(() => done.reject(new Error('the end was not reached')))])
    await consumer.disconnect()
    return seen
  }

  /** Everything that is there is as it was written, and the newest of each key is there. */
  assertHolds(seen: ReadonlyMap<number, Seen>): void {
    for (const [offset, record] of seen) assert.deepEqual(record, this.records.get(offset), `at ${offset}`)
    for (const [key, offset] of this.newest) {
      if (this.records.get(offset)!.value !== null) assert.ok(seen.has(offset), `the newest value of ${key}, at ${offset}`)
    }
  }
}

function logBytes(): number {
  const logs = join(broker.data, 'logs')
  return readdirSync(logs).flatMap((directory) => readdirSync(join(logs, directory)).map((name) => join(logs, directory, name)))
    .filter((path) => path.endsWith('.log')).reduce((sum, path) => sum + statSync(path).size, 0)
}

async function eventually(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (const until = Date.now() + 120_000; Date.now() < until; await sleep(300)) if (await isSo()) return
  throw new Error(`${what}, and two minutes are over:\n${broker.output}`)
}

describe('a compacted topic on local disk', () => {
  test('is left with the newest values at their offsets, and without deleted keys after delete.retention.ms', async () => {
    await createTopic('newest')
    const written = new Written('newest', 1)
    await written.write({ batches: 120, keys: 25 })
    for (const key of ['key-1', 'key-2', 'key-3']) await written.send([{ key, value: null }])
    await written.send([{ key: 'last', value: 'one' }])
    await eventually(async () => {
      const seen = await written.read()
      written.assertHolds(seen)
      return seen.size <= 26
    }, 'older values are there')
    await eventually(async () => {
      // Whoever writes nothing waits for it as well: this only lets the segment with the tombstones be sealed.
      const seen = await written.read()
      written.assertHolds(seen)
      return ![...seen.values()].some(({ value }) => value === null)
    }, 'tombstones are there')
    const seen = await written.read()
    assert.deepEqual([...seen.values()].map(({ key }) => key).filter((key) => /^key-[123]$/.test(key)), [])
    assert.equal(seen.size, 23)
  })

  test('loses nothing where the broker is killed again and again while it compacts', async () => {
    await createTopic('killed')
    const written = new Written('killed', 2)
    const random = new SeededRandom(3)
    for (let round = 0; round < 6; round++) {
      await written.write({ batches: 40, keys: 40 })
      await sleep(random.below(1500))
      await broker.stop('SIGKILL')
      await broker.start()
      written.assertHolds(await written.read())
    }
    await written.send([{ key: 'last', value: 'one' }])
    await eventually(async () => (await written.read()).size <= 60, 'older values are there')
    written.assertHolds(await written.read())
    assert.ok(logBytes() < 200_000)
    assert.equal(broker.output.includes('offline'), false, broker.output)
  })
})
