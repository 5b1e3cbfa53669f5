// Transactions of kafkajs, whose producer is one of before KIP-890: it adds partitions and groups by itself.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Consumer } from 'kafkajs'
import { testBroker } from '../support/test-broker.ts'
import { kafkaOf } from './kafkajs-client.ts'

describe('transactions of kafkajs', () => {
  const broker = testBroker()

  test('what is committed is read, what is aborted is not, and who reads everything sees both', async () => {
    const topic = await newTopic(2)
    const producer = await newProducer()
    for (let count = 0; count < 6; count++) {
      const transaction = await producer.transaction()
      for (const partition of [0, 1]) {
        await transaction.send({ topic, messages: [{ partition, value: `${count}-${partition}` }, { partition, value: `${count}-${partition}b` }] })
      }
      if (count % 2 === 0) await transaction.commit()
      else await transaction.abort()
    }
    await producer.disconnect()
    const committed = [0, 2, 4].flatMap((count) => [0, 1].flatMap((partition) => [`${count}-${partition}`, `${count}-${partition}b`])).sort()
    assert.deepEqual(await read(topic, { readUncommitted: false, count: 12 }), committed)
    assert.equal((await read(topic, { readUncommitted: true, count: 24 })).length, 24)
  })

  test('offsets are committed with the transaction, and not without it', async () => {
    const topic = await newTopic(1)
    const group = `group-${topic}`
    const admin = kafkaOf(broker.bootstrap).admin()
    await admin.connect()
    const producer = await newProducer()
    const offset = async () => (await admin.fetchOffsets({ groupId: group, topics: [topic] }))[0]!.partitions[0]!.offset
    for (const [next, isCommitted] of [['3', true], ['7', false], ['8', true]] as const) {
      const before = await offset()
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: next }] })
      await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic, partitions: [{ partition: 0, offset: next }] }] })
      assert.equal(await offset(), before, 'not before the end')
      if (isCommitted) await transaction.commit()
      else await transaction.abort()
      await eventually(async () => assert.equal(await offset(), isCommitted ? next : before))
    }
    await producer.disconnect()
    await admin.disconnect()
  })

  test('of two producers of a name the first is fenced, and what it left open is aborted', async () => {
    const topic = await newTopic(1)
    const transactionalId = `t-${topic}`
    const first = await newProducer(transactionalId)
    const open = await first.transaction()
    await open.send({ topic, messages: [{ value: 'of the first' }] })
    const second = await newProducer(transactionalId)
    const transaction = await second.transaction()
    await transaction.send({ topic, messages: [{ value: 'of the second' }] })
    await transaction.commit()
    await assert.rejects(open.commit())
    await assert.rejects(async () => (await first.transaction()).send({ topic, messages: [{ value: 'late' }] }))
    assert.deepEqual(await read(topic, { readUncommitted: false, count: 1 }), ['of the second'])
    await Promise.all([first.disconnect(), second.disconnect()])
  })

  async function newTopic(numPartitions: number): Promise<string> {
    const topic = `transactions-${randomUUID()}`
    const admin = kafkaOf(broker.bootstrap).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions }] })
    await admin.disconnect()
    return topic
  }

  async function newProducer(transactionalId = randomUUID() as string) {
    const producer = kafkaOf(broker.bootstrap).producer({ transactionalId, maxInFlightRequests: 1, idempotent: true, retry: { retries: 10 } })
    await producer.connect()
    return producer
  }

  async function read(topic: string, { readUncommitted, count }: { readonly readUncommitted: boolean; readonly count: number }): Promise<string[]> {
    const consumer: Consumer = kafkaOf(broker.bootstrap).consumer({ groupId: `group-${randomUUID()}`, readUncommitted })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const values: string[] = []
    await consumer.run({ eachMessage: async ({ message }) => void values.push(message.value!.toString()) })
    await eventually(async () => assert.ok(values.length >= count, `${values.length} of ${count}`))
    // What should not come has had time to.
    await new Promise((resolve) => setTimeout(resolve, 300))
    await consumer.disconnect()
    return values.sort()
  }
})

async function eventually(check: () => Promise<void>): Promise<void> {
  for (const until = performance.now() + 15_000; ; ) {
    try {
      return await check()
    } catch (cause) {
      if (performance.now() > until) throw cause
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
