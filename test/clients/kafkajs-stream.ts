// What an agent (test/interop/agent.ts) does as a stream and a member, with kafkajs in this process.

import kafkajs from 'kafkajs'
import type { Streamed } from '../interop/agent.ts'

const { Kafka, logLevel } = kafkajs

export interface KafkajsStream {
  end(): Promise<Streamed>
  readonly received: ReadonlyMap<number, readonly number[]>
  readonly failures: readonly string[]
  leave(): Promise<void>
}

export async function kafkajsStream(
  of: { readonly bootstrap: string; readonly topic: string; readonly partitions: number; readonly everyMs: number },
): Promise<KafkajsStream> {
  const { bootstrap, topic, partitions, everyMs } = of
  const kafka = new Kafka({ clientId: 'kafkajs', brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
  const received = new Map<number, number[]>(Array.from({ length: partitions }, (_, partition) => [partition, []]))
  const failures: string[] = []
  const consumer = kafka.consumer({ groupId: topic, sessionTimeout: 10_000, heartbeatInterval: 300 })
  // A crash from which it restarts by itself is for its log; one from which it does not is for its application.
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
    if (!restart) failures.push(`${error}`)
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: ({ partition, message }) => {
      received.get(partition)!.push(Number(message.value))
      return Promise.resolve()
    },
  })
  const producer = await startProducing(kafka, { topic, partitions, everyMs })
  return { received, failures, end: producer.end, leave: () => consumer.disconnect() }
}

/** One batch per partition is under way at a time, as kafkajs asks of who wants order; what is due meanwhile goes with the next. */
async function startProducing(
  kafka: InstanceType<typeof Kafka>, { topic, partitions, everyMs }: { topic: string; partitions: number; everyMs: number },
): Promise<{ end(): Promise<Streamed> }> {
  const failures: string[] = []
  let [acknowledged, gapMs, isEnding] = [0, 0, false]
  const stream = async (partition: number): Promise<void> => {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
    await producer.connect()
    const startedAt = performance.now()
    let [next, acknowledgedAt] = [0, startedAt]
    while (!isEnding) {
      await new Promise((resolve) => setTimeout(resolve, everyMs * partitions))
      const due = Math.max(next + 1, Math.floor((performance.now() - startedAt) / (everyMs * partitions)))
      const messages = Array.from({ length: due - next }, (_, index) => ({ partition, value: `${(next + index) * partitions + partition}` }))
      next = due
      try {
        await producer.send({ topic, acks: -1, messages })
      } catch (cause) {
        failures.push(`${cause as Error}`)
        break
      }
      const now = performance.now()
      gapMs = Math.max(gapMs, now - acknowledgedAt)
      acknowledgedAt = now
      acknowledged += messages.length
    }
    await producer.disconnect()
  }
  const streams = Promise.all(Array.from({ length: partitions }, (_, partition) => stream(partition)))
  return {
    async end() {
      isEnding = true
      await streams
      return { acknowledged, failures, gapMs: Math.round(gapMs) }
    },
  }
}
