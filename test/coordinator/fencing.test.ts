import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CoordinatorDirectory } from '../../broker/coordinator/directory.ts'
import { defaultGroupSettings } from '../../broker/coordinator/group-settings.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { commitOne, committed, joinConsumers } from './asking.ts'
import { FailingTable } from './failing-table.ts'
import { makeWorld, type World } from './world.ts'

/** Two brokers, both of which believe that they coordinate the group. */
function rivals() {
  const first = makeWorld({ brokerId: 1 })
  const { table, clock, topics } = first
  return { first, second: makeWorld({ brokerId: 2, table, clock, topics }) }
}

test('a coordinator that was deposed writes nothing, answers NOT_COORDINATOR and forgets what it knew', async () => {
  const { first, second } = rivals()
  assert.deepEqual(await commitOne(first, 5), [ErrorCode.NONE])
  assert.equal(await committed(second), 5, 'the second broker loads the group, and so claims it')
  assert.equal(await commitOne(first, 6), ErrorCode.NOT_COORDINATOR)
  assert.equal(await committed(second), 5)
  assert.deepEqual(await commitOne(second, 7), [ErrorCode.NONE])
  assert.equal(await committed(first), 7, 'what it is asked next it reads from the table')
})

test('a coordinator that loads a group while another one claims it does not believe what it read', async () => {
  const table = new FailingTable()
  const first = makeWorld({ brokerId: 1, table })
  await commitOne(first, 1)
  const { clock, topics } = first
  const [second, third] = [2, 3].map((brokerId) => makeWorld({ brokerId, table, clock, topics })) as [World, World]
  table.afterGet = () => commitOne(third, 3)
  assert.equal(await commitOne(second, 2), ErrorCode.NOT_COORDINATOR)
  assert.equal(await committed(third), 3)
})

test('of two that make a group at once one is too late', async () => {
  const { first, second } = rivals()
  const outcomes = await Promise.all([commitOne(first, 1), commitOne(second, 2)])
  assert.equal(outcomes.filter((outcome) => typeof outcome !== 'number').length, 1)
  assert.ok(outcomes.includes(ErrorCode.NOT_COORDINATOR))
})

test('members of a deposed coordinator are not told of an assignment that it made up', async () => {
  const { first, second } = rivals()
  await joinConsumers(first, 'A')
  await joinConsumers(second, 'B')
  assert.equal(await joinConsumers(first, 'C'), ErrorCode.NOT_COORDINATOR)
  const group = await second.groups.look('g')
  assert.ok(typeof group !== 'number' && group.membership?.kind === 'consumer')
  assert.deepEqual([...group.membership.members.keys()], ['A', 'B'])
})

test('a group that is deleted and made again is another one for a coordinator of before', async () => {
  const { first, second } = rivals()
  await commitOne(first, 5)
  await commitOne(second, 6)
  assert.equal(await second.groups.execute('g', { kind: 'deleteGroup' }), ErrorCode.NONE)
  await commitOne(second, 7)
  assert.equal(await commitOne(first, 8), ErrorCode.NOT_COORDINATOR)
  assert.equal(await committed(second), 7)
})

test('a broker that does not own the shard claims nothing', async () => {
  const { first } = rivals()
  await commitOne(first, 5)
  const other = makeWorld({ brokerId: 2, table: first.table, topics: first.topics })
  const owner: ReturnType<CoordinatorDirectory['ownerOf']> = { nodeId: 1, host: 'localhost', port: 9092 }
  Object.assign(other.directory, { ownerOf: () => owner })
  assert.equal(await commitOne(other, 6), ErrorCode.NOT_COORDINATOR)
  assert.deepEqual(await commitOne(first, 7), [ErrorCode.NONE], 'its claim is still good')
})

test('a group that moves to another broker while it is loaded is not kept, and ends nobody\'s session here', async () => {
  const table = new FailingTable()
  const first = makeWorld({ brokerId: 1, table })
  await joinConsumers(first, 'A')
  const { clock, topics } = first
  const second = makeWorld({ brokerId: 2, table, clock, topics })
  const owner: ReturnType<CoordinatorDirectory['ownerOf']> = { nodeId: 3, host: 'localhost', port: 9093 }
  table.afterGet = async () => Object.assign(second.directory, { ownerOf: () => owner })
  assert.equal(await committed(second), -1000 - ErrorCode.NOT_COORDINATOR)
  assert.equal(second.groups.size, 0)
  first.groups.close()
  const before = table.commits.length
  await clock.advance(10 * defaultGroupSettings.consumerSessionTimeoutMs)
  assert.equal(table.commits.length, before, 'who owns it has its members')
})
