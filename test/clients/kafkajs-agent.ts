// The agent (test/interop/agent.ts, test/interop/transactional-agent.ts) for kafkajs, as far as transactions need one:
// node kafkajs-agent.ts BOOTSTRAP

import { createInterface } from 'node:readline'
import type { Producer, Transaction } from 'kafkajs'
import { kafkajsClient, kafkaOf } from './kafkajs-client.ts'

interface Asked {
  readonly id: number
  readonly do: string
  readonly topic: string
  readonly partitions: number
  readonly transactionalId: string
  readonly timeoutMs: number
  readonly records: { readonly partition: number; readonly value: string }[]
  readonly from: string
  readonly to: string
  readonly group: string
  readonly count: number
  readonly end: 'commit' | 'abort'
  readonly isolation?: string
}

const bootstrap = process.argv.at(-1)!
const kafka = kafkaOf(bootstrap)
let producer: Producer | undefined
let transaction: Transaction | undefined

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

async function open(transactionalId: string, transactionTimeout: number): Promise<Producer> {
  const made = kafka.producer({ transactionalId, transactionTimeout, idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
  await made.connect()
  return made
}

async function join({ group, topic, isolation }: Asked): Promise<void> {
  const consumer = kafka.consumer({
    groupId: group, maxWaitTimeInMs: 100, readUncommitted: isolation !== 'read_committed',
    // When its broker comes back it joins as somebody new, and waits for the one that it was.
    sessionTimeout: 6000, heartbeatInterval: 500,
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => say({ record: { partition, offset: Number(message.offset), value: message.value?.toString() ?? null } }),
  })
}

/** Takes records as a member of a group, puts them on, and ends the transaction, with the group's offsets in it. */
async function transform({ from, to, group, transactionalId, count, end }: Asked): Promise<void> {
  const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 100 })
  const ending = await open(transactionalId, 60_000)
  const taken: { readonly value: string; readonly offset: number }[] = []
  const enough = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topic: from, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      if (taken.length < count) taken.push({ value: `${message.value}`, offset: Number(message.offset) })
      if (taken.length === count) enough.resolve()
    },
  })
  await enough.promise
  const carrying = await ending.transaction()
  await carrying.send({ topic: to, messages: taken.map(({ value }) => ({ value: `${value} transformed` })) })
  const offset = String(taken.at(-1)!.offset + 1)
  await carrying.sendOffsets({ consumerGroupId: group, topics: [{ topic: from, partitions: [{ partition: 0, offset }] }] })
  await (end === 'commit' ? carrying.commit() : carrying.abort())
  await Promise.all([consumer.disconnect(), ending.disconnect()])
}

async function obey(asked: Asked): Promise<void> {
  switch (asked.do) {
    case 'createTopic': {
      const library = kafkajsClient(bootstrap)
      await library.createTopic(asked.topic, asked.partitions)
      return library.close()
    }
    case 'join':
      return join(asked)
    case 'txnOpen':
      producer = await open(asked.transactionalId, asked.timeoutMs)
      return
    case 'txnBegin':
      transaction = await producer!.transaction()
      return
    case 'txnSend':
      await transaction!.send({ topic: asked.topic, messages: asked.records })
      return
    case 'txnCommit':
      return transaction!.commit()
    case 'txnAbort':
      return transaction!.abort()
    case 'transform':
      return transform(asked)
    default:
      throw new TypeError(`nobody knows how to ${asked.do}`)
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line) as Asked
  try {
    await obey(asked)
    say({ id: asked.id })
  } catch (error) {
    say({ id: asked.id, error: String(error) })
  }
}
process.exit(0)
