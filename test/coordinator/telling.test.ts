import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Producer } from '../../broker/coordinator/transactions/transaction.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { turn } from '../support/manual-clock.ts'
import { FakeTopics } from './fake-topics.ts'
import { add, begin, end } from './transaction-asking.ts'
import { makeTransactionWorld } from './transaction-world.ts'

const telling = {
  targetsMax: 1_000, perRequestMax: 2, requestsMax: { first: 1, again: 1, group: 2 }, timeoutMs: 1_000, retryMs: 20, retryMsMax: 100,
}

function setUp() {
  return makeTransactionWorld({ topics: new FakeTopics({ orders: 100 }), limits: { telling } })
}

/** Ends a transaction over these partitions, under an id of its own. */
async function endOver(world: ReturnType<typeof setUp>, id: string, partitions: readonly number[], groups: readonly string[] = []) {
  const producer = await begin(world, id) as Producer
  for (const partition of partitions) assert.equal(await add(world, producer, partition, id), ErrorCode.NONE)
  if (groups.length > 0) await world.transactions.execute(id, { kind: 'add', ...producer, partitions: [], groups, version: 2 })
  await end(world, producer, true, id)
  await turn()
}

test('what waits for one broker goes together, whatever transactions it is of', async () => {
  const world = setUp()
  const { brokers } = world
  brokers.hold()
  await endOver(world, 'a', [0])
  for (const [id, partition] of [['b', 1], ['c', 2], ['d', 3]] as const) await endOver(world, id, [partition])
  assert.deepEqual(brokers.requests.map(({ targets }) => targets), [1], 'one at a time')
  brokers.go()
  for (let count = 0; count < 5; count++) await turn()
  assert.deepEqual(brokers.requests.map(({ targets }) => targets), [1, 2, 1], 'and at most two partitions in it')
  assert.equal(world.transactions.untoldCount, 0)
})

test('partitions that cannot take a marker hold up no others, and brokers not each other', async () => {
  const world = setUp()
  const { brokers, clock } = world
  brokers.leaders.set('orders/0', 2)
  brokers.silent.add(2)
  brokers.codes.set('orders/1', Array.from({ length: 1_000 }, () => ErrorCode.NOT_ENOUGH_REPLICAS))
  await endOver(world, 'a', [0])
  await endOver(world, 'b', [1])
  await clock.advance(1_000)
  brokers.heard.length = 0
  brokers.requests.length = 0
  await endOver(world, 'c', [2])
  assert.ok(brokers.heard.some((line) => line.startsWith('orders/2: commit')))
  assert.equal(world.transactions.untoldCount, 2)
  await clock.advance(1_000)
  assert.deepEqual(new Set(brokers.requests.map(({ lane }) => lane)), new Set(['first', 'again']))
  // Half of 100 ms by these dice, for two partitions: they come back no faster than that, and do come back.
  const tries = brokers.requests.filter(({ lane }) => lane === 'again').length
  assert.ok(tries >= 30 && tries <= 42, `${tries} tries in a second`)
  brokers.silent.clear()
  brokers.codes.clear()
  await clock.advance(100)
  assert.equal(world.transactions.untoldCount, 0)
})

test('groups are told one by one, a few at a time', async () => {
  const world = setUp()
  world.brokers.hold()
  await endOver(world, 'a', [], ['g', 'h', 'i'])
  assert.deepEqual(world.brokers.requests.map(({ lane }) => lane), ['group', 'group'])
  world.brokers.go()
  for (let count = 0; count < 5; count++) await turn()
  assert.deepEqual(world.brokers.heard.map((line) => line.slice(0, 1)).sort(), ['g', 'h', 'i'])
})

test('nobody is told any more by a coordinator that has closed', async () => {
  const world = setUp()
  world.brokers.codes.set('orders/0', Array.from({ length: 1_000 }, () => ErrorCode.REQUEST_TIMED_OUT))
  await endOver(world, 'a', [0])
  world.transactions.close()
  world.brokers.heard.length = 0
  await world.clock.advance(10_000)
  assert.deepEqual([world.brokers.heard, world.transactions.untoldCount], [[], 0])
})
