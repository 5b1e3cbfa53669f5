import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turn } from '../support/manual-clock.ts'
import { beat, commitOne, committed, joinConsumers } from './asking.ts'
import { makeWorld, type World } from './world.ts'

const day = 86_400_000
const settings = { offsetRetentionMs: 7 * day }

async function sweep(world: World): Promise<void> {
  await world.groups.sweep()
  await turn()
}

async function isThere(world: World): Promise<boolean> {
  const groups = await world.groups.list()
  return typeof groups !== 'number' && groups.some(({ groupId }) => groupId === 'g')
}

test('offsets of a group that never had members expire by the time of their commit, and the group goes with the last', async () => {
  const world = makeWorld({ settings })
  await commitOne(world, 1, { partition: 0 })
  await world.clock.advance(day)
  await commitOne(world, 2, { partition: 1 })
  await world.clock.advance(6 * day)
  await sweep(world)
  assert.equal(await committed(world, 0), undefined)
  assert.equal(await committed(world, 1), 2)
  await world.clock.advance(day)
  await sweep(world)
  assert.equal(await isThere(world), false)
})

test('offsets that are consumed do not expire, and those of a topic that was given up do', async () => {
  const world = makeWorld({ settings: { ...settings, consumerSessionTimeoutMs: 100 * day } })
  await commitOne(world, 1, { topic: 'orders' })
  await commitOne(world, 2, { topic: 'payments' })
  await joinConsumers(world, 'A', ['orders'])
  await world.clock.advance(8 * day)
  await sweep(world)
  assert.equal(await committed(world, 0, 'orders'), 1)
  assert.equal(await committed(world, 0, 'payments'), undefined)
  await beat(world, { memberId: 'A', memberEpoch: -1 })
  await sweep(world)
  assert.equal(await isThere(world), false)
})

test('a group in the table alone is found by the sweep', async () => {
  const world = makeWorld({ settings })
  await commitOne(world, 1)
  world.groups.close()
  await world.clock.advance(8 * day)
  const { table, clock, topics } = world
  const next = makeWorld({ settings, table, clock, topics })
  await sweep(next)
  assert.equal(await isThere(next), false)
})

test('a topic takes its offsets with it, and its successor of the same name starts without', async () => {
  const world = makeWorld()
  await commitOne(world, 41)
  world.topics.remove('orders')
  await turn()
  world.topics.put('orders', 4, 'another-id')
  assert.equal(await committed(world), undefined)
  await commitOne(world, 1)
  world.groups.close()
  const { table, clock, topics } = world
  const next = makeWorld({ table, clock, topics })
  const group = await next.groups.look('g')
  assert.ok(typeof group !== 'number')
  assert.deepEqual([...group.offsets.keys()], ['another-id'])
})

test('what is left of a deleted group is buried after a day', async () => {
  const world = makeWorld()
  await commitOne(world, 1)
  await world.groups.execute('g', { kind: 'deleteGroup' })
  const heads = async () => (await Promise.all(Array.from({ length: 32 }, (_, shard) => world.table.query(`groups#${shard}`)))).flat().length
  await sweep(world)
  assert.equal(await heads(), 1)
  await world.clock.advance(day)
  await sweep(world)
  assert.equal(await heads(), 0)
})

test('a client before v5 may choose a retention of its own', async () => {
  const world = makeWorld({ settings })
  const orders = world.topics.byName('orders')!.id
  await world.groups.execute('g', {
    kind: 'commitOffsets', memberId: '', instanceId: null, epoch: -1, version: 3, retentionMs: 1_000,
    offsets: [{ topicId: orders, partition: 0, offset: 1, leaderEpoch: -1, metadata: '' }],
  })
  await world.clock.advance(1_000)
  await sweep(world)
  assert.equal(await isThere(world), false)
})
