import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CoordinatorDirectory } from '../../broker/coordinator/directory.ts'
import type { Producer, Transaction } from '../../broker/coordinator/transactions/transaction.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { turn } from '../support/manual-clock.ts'
import { FailingTable } from './failing-table.ts'
import { add, begin, end, look } from './transaction-asking.ts'
import { makeTransactionWorld, type TransactionWorldOptions } from './transaction-world.ts'

async function setUp(options: TransactionWorldOptions = {}) {
  const table = new FailingTable()
  const world = makeTransactionWorld({ table, ...options })
  const producer = await begin(world)
  assert.ok(typeof producer !== 'number')
  table.commits.length = 0
  return { table, world, producer }
}

/** Another coordinator over the same table, which takes everything for its own. */
function rivalOf({ table, clock, topics, producerIds }: ReturnType<typeof makeTransactionWorld>, brokerId = 2) {
  return makeTransactionWorld({ table, clock, topics, producerIds, brokerId })
}

test('a transaction costs two writes, and those that follow each other no third one', async () => {
  const { table, world, producer } = await setUp()
  let current: Producer | ErrorCode = producer
  for (let count = 1; count <= 3; count++) {
    assert.equal(await add(world, current as Producer, 0), ErrorCode.NONE)
    current = await end(world, current as Producer)
    await turn()
    assert.equal(table.commits.length, 2 * count)
  }
  assert.deepEqual(current, { producerId: 100, producerEpoch: 3 })
  await world.clock.advance(60_000)
  assert.equal(table.commits.length, 7, 'that the last one is complete is written by itself')
})

test('partitions that come at once, and those that come while the first are being written, are written together', async () => {
  const { table, world, producer } = await setUp()
  table.faults.push('slow')
  const answers = [0, 1].map((partition) => add(world, producer, partition))
  await turn()
  assert.equal(table.commits.length, 1)
  answers.push(...[2, 3].map((partition) => add(world, producer, partition)))
  await turn()
  table.go()
  assert.deepEqual(await Promise.all(answers), [0, 0, 0, 0])
  assert.equal(table.commits.length, 2)
  const transaction = await look(world) as Transaction
  assert.deepEqual(transaction.partitions.get('id-of-orders'), new Set([0, 1, 2, 3]))
})

test('what is part of a transaction already, and what is refused, is not written', async () => {
  const { table, world, producer } = await setUp()
  await add(world, producer, 0)
  assert.equal(await add(world, producer, 0), ErrorCode.NONE)
  assert.equal(await add(world, { ...producer, producerEpoch: 5 }, 1), ErrorCode.PRODUCER_FENCED)
  assert.equal(table.commits.length, 1)
})

test('nothing is answered before it is in the table, and nobody told', async () => {
  const { table, world, producer } = await setUp()
  const seen: string[] = world.brokers.heard
  table.faults.push('slow')
  void add(world, producer, 0).then(() => seen.push('added'))
  await turn()
  assert.equal(seen.join(), '')
  table.go()
  await turn()
  assert.equal(seen.join(), 'added')
  table.faults.push('slow')
  void end(world, producer).then(() => seen.push('ended'))
  await turn()
  assert.equal(seen.join(), 'added')
  table.go()
  await turn()
  await turn()
  assert.equal([...seen].sort().join(), 'added,ended,orders/0: commit 100/1 v2 by 0')
})

test('a change that did not reach the table is refused, and the next one is good', async () => {
  const { table, world, producer } = await setUp()
  table.faults.push('away')
  assert.equal(await add(world, producer, 0), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.equal(await add(world, producer, 1), ErrorCode.NONE)
  table.faults.push('away')
  assert.equal(await end(world, producer), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  await turn()
  assert.deepEqual(world.brokers.heard, [])
  assert.deepEqual(await end(world, producer), { producerId: 100, producerEpoch: 1 })
  await turn()
  assert.deepEqual(world.brokers.heard, ['orders/1: commit 100/1 v2 by 0'])
})

for (const fault of ['lost', 'dropped'] as const) {
  test(`an end whose answer was ${fault} is read back before anybody is told anything`, async () => {
    const { table, world, producer } = await setUp()
    await add(world, producer, 0)
    table.faults.push(fault)
    assert.equal(await end(world, producer), ErrorCode.COORDINATOR_NOT_AVAILABLE)
    await turn()
    assert.deepEqual(world.brokers.heard, [])
    // By itself: its time must run, or its end be told, whether the producer asks again or not.
    await world.clock.advance(1_000)
    await turn()
    assert.deepEqual(world.brokers.heard, fault === 'lost' ? ['orders/0: commit 100/1 v2 by 1'] : [])
    const again = await end(world, producer)
    await turn()
    assert.deepEqual(again, { producerId: 100, producerEpoch: 1 })
    assert.deepEqual(world.brokers.heard, ['orders/0: commit 100/1 v2 by 1'])
  })
}

test('a transaction whose beginning is in doubt has its time nevertheless', async () => {
  const { table, world, producer } = await setUp()
  table.faults.push('lost')
  assert.equal(await add(world, producer, 0), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  await world.clock.advance(60_000)
  await turn()
  assert.deepEqual(world.brokers.heard, ['orders/0: abort 100/1 v2 by 1'])
})

test('a timeout that cannot be written is tried again', async () => {
  const { table, world, producer } = await setUp()
  await add(world, producer, 0)
  table.faults.push('away', 'away')
  await world.clock.advance(60_000)
  assert.deepEqual(world.brokers.heard, [])
  await world.clock.advance(2_000)
  assert.deepEqual(world.brokers.heard, ['orders/0: abort 100/1 v2 by 0'])
  assert.equal(world.transactions.timeoutCount, 1)
})

test('that all were told is not forgotten over a write that fails beside it', async () => {
  const { table, world, producer } = await setUp()
  await add(world, producer, 0)
  world.brokers.hold()
  const next = await end(world, producer) as Producer
  table.faults.push('away')
  world.brokers.go()
  await turn()
  assert.equal(await add(world, next, 1), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.equal(await add(world, next, 1), ErrorCode.NONE)
})

test('a coordinator that was deposed writes nothing, answers NOT_COORDINATOR, and tells nobody', async () => {
  const { world, producer } = await setUp()
  await add(world, producer, 0)
  const second = rivalOf(world)
  assert.equal(await add(second, producer, 1), ErrorCode.NONE)
  assert.equal(await end(world, producer), ErrorCode.NOT_COORDINATOR)
  await turn()
  assert.deepEqual(world.brokers.heard, [])
  assert.deepEqual(await end(second, producer), { producerId: 100, producerEpoch: 1 })
  await turn()
  assert.deepEqual(second.brokers.heard, ['orders/0: commit 100/1 v2 by 1', 'orders/1: commit 100/1 v2 by 1'])
})

test('of two that have it at once the timeout is carried out by one', async () => {
  const { world, producer } = await setUp()
  await add(world, producer, 0)
  const second = rivalOf(world)
  await second.transactions.sweep()
  Object.assign(world.directory, { ownerOf: owned(2) })
  await world.clock.advance(60_000)
  await turn()
  assert.deepEqual([world.brokers.heard, second.brokers.heard], [[], ['orders/0: abort 100/1 v2 by 1']])
})

function owned(nodeId: number): CoordinatorDirectory['ownerOf'] {
  return () => ({ nodeId, host: 'localhost', port: 9092 })
}

test('what another broker owns is let go of, and what is this one\'s found, when owners change', async () => {
  const { world, producer } = await setUp()
  await add(world, producer, 0)
  const second = rivalOf(world)
  Object.assign(second.directory, { ownerOf: owned(1) })
  second.transactions.start()
  await world.clock.advance(0)
  assert.equal(second.transactions.size, 0)
  Object.assign(second.directory, { ownerOf: owned(2) })
  Object.assign(world.directory, { ownerOf: owned(2) })
  second.transactions.ownersChanged()
  world.transactions.ownersChanged()
  await world.clock.advance(0)
  assert.deepEqual([world.transactions.size, second.transactions.size], [0, 1])
  assert.equal(await look(world), ErrorCode.NOT_COORDINATOR)
  assert.equal(second.transactions.openCount, 1)
})

test('what a deposed owner has written after its successor looked is found a little later', async () => {
  const { world, producer } = await setUp()
  const second = rivalOf(world)
  second.transactions.ownersChanged()
  await world.clock.advance(0)
  assert.equal(second.transactions.openCount, 0)
  assert.equal(await add(world, producer, 0), ErrorCode.NONE)
  Object.assign(world.directory, { ownerOf: owned(2) })
  world.transactions.ownersChanged()
  await world.clock.advance(5_000)
  assert.equal(second.transactions.openCount, 1)
})

test('a sweep that the table fails is tried again', async () => {
  const { table, world, producer } = await setUp()
  await add(world, producer, 0)
  world.transactions.close()
  const second = rivalOf(world)
  table.faults.push('away')
  second.transactions.start()
  await world.clock.advance(0)
  assert.equal(second.transactions.openCount, 0)
  await world.clock.advance(1_000)
  assert.equal(second.transactions.openCount, 1)
})

test('without its session a coordinator says nothing that others may know better', async () => {
  const { table, world, producer } = await setUp()
  await add(world, producer, 0)
  Object.assign(world.directory, { isCertain: () => false })
  assert.equal(await add(world, producer, 0), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.equal(await look(world), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.equal(await add(world, producer, 1), ErrorCode.NONE, 'the table has decided that')
  assert.equal(table.commits.length, 2)
})

test('what does not fit into the table is refused, and what is there can be ended', async () => {
  const { world, producer } = await setUp({ limits: { bytesMax: 400 } })
  assert.equal(await add(world, producer, 0), ErrorCode.NONE)
  const groups = ['g'.repeat(200)]
  assert.equal(
    await world.transactions.execute('t', { kind: 'add', ...producer, partitions: [], groups, version: 2 }), ErrorCode.UNKNOWN_SERVER_ERROR,
  )
  assert.deepEqual(await end(world, producer), { producerId: 100, producerEpoch: 1 })
})

test('too many that wait, and too many ids, are turned away', async () => {
  const { table, world, producer } = await setUp({ limits: { commandsQueuedMax: 2, transactionsMax: 1 } })
  table.faults.push('slow')
  const answers = [0, 1, 2, 3].map((partition) => add(world, producer, partition))
  await turn()
  assert.equal(await answers[3], ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  assert.equal(await begin(world, 'another'), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  table.go()
  await Promise.all(answers)
  assert.equal(await begin(world, 'another'), ErrorCode.COORDINATOR_NOT_AVAILABLE, 'one is open')
  await end(world, producer)
  await world.clock.advance(60_000)
  assert.ok(typeof await begin(world, 'another') !== 'number', 'which nobody needs any more')
})

test('while too many are still to be told, nothing begins', async () => {
  const { world, producer } = await setUp({ limits: { telling: { ...makeLimits(), targetsMax: 1 } } })
  await add(world, producer, 0)
  world.brokers.hold()
  const next = await end(world, producer) as Producer
  assert.equal(world.transactions.untoldCount, 1)
  const other = await begin(world, 'another') as Producer
  assert.equal(await add(world, other, 0, 'another'), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  world.brokers.go()
  await turn()
  assert.equal(await add(world, next, 0), ErrorCode.NONE)
})

function makeLimits() {
  return {
    targetsMax: 1_000, perRequestMax: 1_000, requestsMax: { first: 1, again: 1, group: 1 }, timeoutMs: 1_000, retryMs: 20, retryMsMax: 1_000,
  }
}
