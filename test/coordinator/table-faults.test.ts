import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { beat, commitOne, committed, joinConsumers } from './asking.ts'
import { FailingTable } from './failing-table.ts'
import { turn } from '../support/manual-clock.ts'
import { makeWorld } from './world.ts'

function setUp() {
  const table = new FailingTable()
  return { table, world: makeWorld({ table }) }
}

test('a commit that did not reach the table is refused, and the next one is good', async () => {
  const { table, world } = setUp()
  await commitOne(world, 1)
  table.faults.push('away')
  assert.equal(await commitOne(world, 2), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.equal(await committed(world), 1)
  assert.deepEqual(await commitOne(world, 3), [ErrorCode.NONE])
})

for (const [fault, found] of [['lost', 2], ['dropped', 1]] as const) {
  test(`a commit whose answer is ${fault} is never called a success, and what is true is read back`, async () => {
    const { table, world } = setUp()
    await commitOne(world, 1)
    table.faults.push(fault)
    assert.equal(await commitOne(world, 2), ErrorCode.COORDINATOR_NOT_AVAILABLE)
    assert.equal(await committed(world), found)
    assert.deepEqual(await commitOne(world, 3), [ErrorCode.NONE])
  })
}

test('heartbeats do not wait for a table that is slow', async () => {
  const { table, world } = setUp()
  await joinConsumers(world, 'A')
  table.faults.push('slow')
  const joining = joinConsumers(world, 'B')
  await turn()
  const answer = await beat(world, { memberId: 'A', memberEpoch: 2 })
  assert.ok(typeof answer !== 'number' && answer.errorCode === ErrorCode.NONE && answer.memberEpoch === 2, 'nobody hears of B before it is stored')
  table.go()
  const joined = await joining
  assert.ok(typeof joined !== 'number' && joined.memberEpoch === 3)
})

test('commits that arrive while one is being written are written together', async () => {
  const { table, world } = setUp()
  await commitOne(world, 1)
  table.faults.push('slow')
  const before = table.commits.length
  const all = [commitOne(world, 2), ...[0, 1, 2, 3].map((partition) => commitOne(world, 10 + partition, { partition }))]
  await turn()
  table.go()
  assert.deepEqual(await Promise.all(all), all.map(() => [ErrorCode.NONE]))
  assert.equal(table.commits.length - before, 2)
  assert.equal(await committed(world), 10, 'the later of two commits of one partition stands')
})

test('a member is put out at the second try where the first could not be stored', async () => {
  const { table, world } = setUp()
  await joinConsumers(world, 'A')
  table.faults.push('away')
  await world.clock.advance(45_000)
  const answer = await beat(world, { memberId: 'A', memberEpoch: 2 })
  assert.ok(typeof answer !== 'number' && answer.errorCode === ErrorCode.NONE, 'it is still a member')
  await world.clock.advance(45_000)
  assert.deepEqual(await beat(world, { memberId: 'A', memberEpoch: 2 }).then((late) => typeof late !== 'number' && late.errorCode), ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a group is not loaded while the table is away, and the request says so', async () => {
  const { table, world } = setUp()
  await commitOne(world, 1)
  world.groups.close()
  const { topics, clock } = world
  const next = makeWorld({ table, topics, clock })
  table.faults.push('away')
  assert.equal(await commitOne(next, 2), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.equal(await committed(next), 1)
})

test('a load that takes too long is not waited for', async () => {
  const { table, world } = setUp()
  await commitOne(world, 1)
  const { topics, clock } = world
  const next = makeWorld({ table, topics, clock })
  table.faults.push('slow')
  const asked = commitOne(next, 2)
  await clock.advance(5_000)
  assert.equal(await asked, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  table.go()
  await turn()
  assert.deepEqual(await commitOne(next, 3), [ErrorCode.NONE])
})
