// Kafka's tool for those who look after transactions, with an open one of a Java client.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { places } from '../../scripts/peer/cache.ts'
import { classPath, javaOptions } from '../../scripts/peer/kafka-tools.ts'
import type { TransactionalLibrary, TransactionalProducer } from '../cases/transaction.cases.ts'
import { endsOf } from '../support/committed-records.ts'
import { testBroker } from '../support/test-broker.ts'
import { tool } from './shell.ts'
import { transactionalAgents } from './transactional-agent.ts'

const program = {
  command: 'java', args: [...javaOptions, '-cp', `${places.classes}:${classPath}`, 'Agent'], protocol: 'classic' as const,
  fenced: /Fenced|InvalidProducerEpoch|InvalidTxnState/,
}

describe('kafka-transactions', () => {
  const broker = testBroker()
  const [topic, id] = [`topic-${randomUUID()}`, `id-${randomUUID()}`]
  let library: TransactionalLibrary
  let producer: TransactionalProducer
  const call = (...args: readonly string[]) => tool('kafka-transactions', ['--bootstrap-server', broker.bootstrap, ...args])
  /** The columns of the table's rows with a word in them. */
  const rows = (text: string, word: string) => text.split('\n').filter((line) => line.includes(word)).map((line) => line.trim().split(/\s+/))
  const place = ['--topic', topic, '--partition', '0']

  before(async () => {
    library = transactionalAgents(program, broker.bootstrap)
    await library.createTopic(topic, 1)
    producer = await library.open(id)
    await producer.begin()
    await producer.send(topic, [{ partition: 0, value: 'committed' }])
    await producer.commit()
    await producer.begin()
    await producer.send(topic, [{ partition: 0, value: 'open' }])
  })
  after(async () => {
    await producer.close()
    await library.close()
  })

  test('lists them, with their coordinators, producers and states', async () => {
    const [row] = rows(await call('list'), id)
    // TransactionalId, Coordinator, ProducerId, TransactionState
    assert.match(row?.[1] ?? '', /^\d+$/)
    assert.match(row?.[2] ?? '', /^\d+$/)
    assert.equal(row?.[3], 'Ongoing')
    assert.deepEqual(rows(await call('list', '--duration-filter', '3600000'), id), [])
    assert.deepEqual(rows(await call('list', '--transactional-id-pattern', 'other-.*'), id), [])
    assert.equal(rows(await call('list', '--transactional-id-pattern', 'id-.*'), id).length, 1)
  })

  test('describes one: its epoch, timeout, age and partitions', async () => {
    const text = await call('describe', '--transactional-id', id)
    const [header, row] = [rows(text, 'CoordinatorId')[0] ?? [], rows(text, id)[0] ?? []]
    const column = (name: string) => row[header.indexOf(name)]
    assert.equal(column('TransactionState'), 'Ongoing')
    assert.equal(column('TransactionTimeoutMs'), '60000')
    assert.ok(Number(column('TransactionDurationMs')) >= 0)
    assert.match(text, new RegExp(`${topic}-0`))
  })

  test('describes the producers of a partition', async () => {
    const text = await call('describe-producers', ...place)
    const [header, row] = text.split('\n').map((line) => line.trim().split(/\s+/)) as [string[], string[]]
    assert.equal(row[header.indexOf('CurrentTransactionStartOffset')], '2')
    assert.match(row[header.indexOf('LastSequence')] ?? '', /^\d+$/)
  })

  test('finds none hanging whose coordinator knows of it', async () => {
    const text = await call('find-hanging', '--topic', topic, '--max-transaction-timeout', '0')
    assert.deepEqual(rows(text, topic), [])
  })

  test('aborts one by where it begins', async () => {
    const before = await endsOf(broker.bootstrap, { topic, partition: 0 })
    assert.deepEqual(before, { lastStable: 2, high: 3 })
    await call('abort', ...place, '--start-offset', '2')
    for (const deadline = performance.now() + 10_000; ; await sleep(50)) {
      const { lastStable, high } = await endsOf(broker.bootstrap, { topic, partition: 0 })
      if (lastStable === high && high === 4) break
      assert.ok(performance.now() < deadline, `stable to ${lastStable} of ${high}`)
    }
  })
})
