// The steady client (steady-client.ts) of kafkajs: node steady-kafkajs.ts OPTIONS

import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import type { SteadyOptions } from './steady-client.ts'

const { Kafka, logLevel } = kafkajs
const options = JSON.parse(process.argv.at(-1)!) as SteadyOptions
const { topic, partitions, everyMs } = options

function say(what: string, facts: readonly unknown[]): void {
  process.stdout.write(`${JSON.stringify({ [what]: facts })}\n`)
}

const kafka = new Kafka({
  clientId: 'steady', brokers: options.bootstrap.split(','), logLevel: logLevel.ERROR,
  logCreator: () => ({ log }) => say('notice', [`${log.timestamp} ${log.message} ${String(log['error'] ?? '')}`.trim()]),
})
const producer = kafka.producer({ allowAutoTopicCreation: false, ...options.producer })
const consumer = kafka.consumer({ groupId: options.group, ...options.consumer })
let isProducing = true

/** One call at a time for each partition; what fell due meanwhile goes with the next one. */
async function produceTo(partition: number): Promise<void> {
  const start = Date.now()
  for (let number = 0; isProducing; await sleep(Math.max(start + number * everyMs - Date.now(), 0))) {
    const sentAt = Date.now()
    const dueCount = Math.max(Math.floor((sentAt - start) / everyMs) + 1 - number, 1)
    const messages = Array.from({ length: dueCount }, (_, index) => ({ partition, value: String(number + index) }))
    const [answer] = await producer.send({ topic, acks: -1, messages })
    messages.forEach((_, index) => say('acked', [partition, number + index, Number(answer!.baseOffset) + index, sentAt, Date.now()]))
    number += dueCount
  }
}

async function produce(): Promise<void> {
  await producer.connect()
  await Promise.all(Array.from({ length: partitions }, (_, partition) => produceTo(partition)))
  await producer.disconnect()
}

async function read(): Promise<void> {
  // It starts again by itself where what it met is retriable.
  consumer.on('consumer.crash', ({ payload: { restart, error } }) => say(restart ? 'notice' : 'error', [`consumer: ${error}`]))
  consumer.on('consumer.group_join', ({ payload }) => say('assigned', payload.memberAssignment[topic] ?? []))
  consumer.on('consumer.rebalancing', () => say('revoked', []))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }) => say('read', [partition, Number(message.offset), Number(message.value), Date.now()]),
  })
}

const orSay = (who: string) => (failure: unknown) => say('error', [`${who}: ${failure}`])
const producing = produce().catch(orSay('producer'))
const reading = read().catch(orSay('consumer'))
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
await lines.next()
isProducing = false
await producing
say('produced', [])
await lines.next()
await reading
await consumer.disconnect()
