// Three brokers are restarted one after another, in order, while clients in three languages produce and consume. None of them is
// told of anything that it could not get over by itself, and every record arrives once. How long writes stopped for whom is
// measured and printed; it does not decide, for it is the client's patience as well as the brokers' work.

import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inSync } from '../../faults/metadata.ts'
import { places } from '../../scripts/peer/cache.ts'
import { classPath, javaOptions } from '../../scripts/peer/kafka-tools.ts'
import { kafkajsStream } from '../clients/kafkajs-stream.ts'
import { ClusterProcess } from '../support/cluster-process.ts'
import { createTopic } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import { Agent, type Streamed } from './agent.ts'

const ids = [1, 2, 3] as const
const partitions = 3
const everyMs = 10
/** Of load before the first restart, and after each. */
const quietMs = 1_500
const settledMsMax = 30_000

/** A client that produces numbers to a topic and consumes them as a group of one. */
interface Running {
  /** Ends the stream. */
  end(): Promise<Streamed>
  /** Values by partition, in the order in which they came. */
  readonly received: ReadonlyMap<number, readonly number[]>
  /** Errors that its consumer's application saw. */
  readonly failures: readonly string[]
  leave(): Promise<void>
}

async function agentStream(command: string, args: readonly string[], on: { readonly bootstrap: string; readonly topic: string }): Promise<Running> {
  const { bootstrap, topic } = on
  const program = { command, args, compressions: [], protocol: 'classic' as const }
  const [producer, consumer] = [new Agent(program, bootstrap), new Agent(program, bootstrap)]
  const received = new Map<number, number[]>(Array.from({ length: partitions }, (_, partition) => [partition, []]))
  consumer.onRecord = ({ partition, value }) => received.get(partition)!.push(Number(value))
  await consumer.ask({ do: 'join', group: topic, topic, protocol: 'classic', sessionTimeoutMs: 10_000 })
  await producer.ask({ do: 'stream', topic, partitions, everyMs })
  return {
    received, failures: consumer.failures,
    end: async () => (await producer.ask({ do: 'endStream' })).stream!,
    async leave() {
      await consumer.ask({ do: 'leave' })
      await Promise.all([producer.end(), consumer.end()])
    },
  }
}

const clients: Readonly<Record<string, (on: { bootstrap: string; topic: string }) => Promise<Running>>> = {
  'Java': (on) => agentStream('java', [...javaOptions, '-cp', `${places.classes}:${classPath}`, 'Agent'], on),
  'librdkafka': (on) => agentStream(places.python, [fileURLToPath(new URL('python/agent.py', import.meta.url))], on),
  'kafkajs': (on) => kafkajsStream({ ...on, partitions, everyMs }),
}

describe('brokers that are restarted one after another', () => {
  let cluster: ClusterProcess
  const running = new Map<string, { readonly topicId: string; readonly client: Running }>()
  const addresses = () => ids.map((id) => cluster.broker(id).bootstrap)
  const allInSync = async () => {
    for (const { topicId } of running.values()) await inSync(addresses(), { topicId, replicas: ids.length, withinMs: settledMsMax })
  }

  before(async () => {
    cluster = await ClusterProcess.start({ ids, settings: { 'group.initial.rebalance.delay.ms': '0' } })
    const wire = await WireClient.connect(addresses()[0]!)
    for (const [name, start] of Object.entries(clients)) {
      const topic = `rolling-${name}`
      const topicId = await madeOnceAllAreThere(wire, topic)
      running.set(name, { topicId, client: await start({ bootstrap: addresses().join(','), topic }) })
    }
    wire.close()
    const begun = ({ client }: { client: Running }) => [...client.received.values()].every(({ length }) => length > 10)
    for (const until = performance.now() + settledMsMax; ![...running.values()].every(begun); await sleep(100)) {
      assert.ok(performance.now() < until, 'not everybody got going')
    }
  })
  after(async () => {
    await Promise.allSettled([...running.values()].map(({ client }) => client.leave()))
    await cluster.dispose()
  })

  test('nobody sees an error, and every record arrives once and in order', async (context) => {
    for (const id of ids) {
      await allInSync()
      await sleep(quietMs)
      await cluster.broker(id).stop()
      await sleep(quietMs)
      await cluster.broker(id).start()
    }
    await allInSync()
    await sleep(quietMs)
    for (const [name, { client }] of running) {
      const { acknowledged, failures, gapMs } = await client.end()
      await arrived(client, acknowledged)
      context.diagnostic(`${name}: ${acknowledged} acknowledged, the longest gap ${gapMs} ms`)
      assert.deepEqual({ producer: failures, consumer: client.failures }, { producer: [], consumer: [] }, name)
      for (const [partition, values] of client.received) {
        assert.deepEqual(values, Array.from(values, (_, index) => index * partitions + partition), `${name}, partition ${partition}`)
      }
    }
  })
})

async function arrived({ received }: Running, count: number): Promise<void> {
  const sum = () => [...received.values()].reduce((total, { length }) => total + length, 0)
  for (const until = performance.now() + settledMsMax; sum() < count; await sleep(50)) {
    assert.ok(performance.now() < until, `${sum()} of ${count} records arrived`)
  }
  // What came twice would come now.
  await sleep(500)
  assert.equal(sum(), count)
}

/** Three replicas need three brokers that have registered. */
async function madeOnceAllAreThere(wire: WireClient, name: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await createTopic(wire, { name, partitions })
    } catch (cause) {
      if (tries > 100) throw cause
      await sleep(100)
    }
  }
}
