import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinGroup } from '../../broker/api/join-group.ts'
import { syncGroup } from '../../broker/api/sync-group.ts'
import { commitWritesMax } from '../../broker/table/table.ts'
import { beat, joinConsumers } from './asking.ts'
import { callOf, subscriptionTo } from './classic-script.ts'
import { FailingTable } from './failing-table.ts'
import { FakeTopics } from './fake-topics.ts'
import { makeWorld, type World } from './world.ts'

const memberCount = 1_000

function restarted(world: World): World {
  world.groups.close()
  const { table, topics, clock } = world
  return makeWorld({ table, topics, clock })
}

function checkCommits({ commits }: FailingTable): void {
  // That the table takes them holds the other limits: it checks them as DynamoDB does.
  for (const writes of commits) assert.ok(writes.length <= commitWritesMax)
}

/** Joins members of a classic group, each with that much to say about itself, and lets the first assign. */
async function formGeneration(world: World, metadataBytes: number): Promise<number> {
  const metadata = Buffer.concat([subscriptionTo(['orders']), Buffer.alloc(metadataBytes, 'x')])
  const joins = Array.from({ length: memberCount }, () => joinGroup(world.groups).handle({
    groupId: 'g', sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, memberId: '', groupInstanceId: null, protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }], reason: null,
  }, callOf(3)))
  await world.clock.advance(30_000)
  const members = (await Promise.all(joins)).map((response) => response!)
  const leader = members.find(({ members: all }) => all.length > 0)!
  assert.equal(leader.members.length, memberCount)
  const assignments = leader.members.map(({ memberId }) => ({ memberId, assignment: Buffer.alloc(100, memberId) }))
  const response = await syncGroup(world.groups).handle({
    groupId: 'g', generationId: 1, memberId: leader.memberId, groupInstanceId: null, protocolType: 'consumer', protocolName: 'range', assignments,
  }, callOf(5))
  return response!.errorCode
}

for (const [metadataBytes, what] of [[200, 'in few commits'], [6_000, 'in many']] as const) {
  test(`a classic group of a thousand members is stored and loaded, ${what}`, async () => {
    const table = new FailingTable()
    const world = makeWorld({ table })
    assert.equal(await formGeneration(world, metadataBytes), 0)
    checkCommits(table)
    const group = await restarted(world).groups.look('g')
    assert.ok(typeof group !== 'number' && group.membership?.kind === 'classic')
    assert.equal(group.membership.members.size, memberCount)
    for (const [memberId, { assignment }] of group.membership.members) assert.deepEqual(assignment, Buffer.alloc(100, memberId))
  })
}

test('a generation that was written in part is none, and what is left of it goes', async () => {
  const table = new FailingTable()
  const world = makeWorld({ table })
  // The third of its commits is not carried out.
  table.faults.push(...([undefined, undefined, 'dropped'] as never[]))
  assert.notEqual(await formGeneration(world, 6_000), 0)
  const group = await restarted(world).groups.look('g')
  assert.ok(typeof group !== 'number' && group.membership === undefined)
})

test('a consumer group of a thousand members is stored member by member', async () => {
  const table = new FailingTable()
  const world = makeWorld({ table, topics: new FakeTopics({ orders: 2_000 }) })
  await Promise.all(Array.from({ length: memberCount }, (_, index) => joinConsumers(world, `member-${index}`)))
  const joined = table.commits.length
  checkCommits(table)
  const next = restarted(world)
  const group = await next.groups.look('g')
  assert.ok(typeof group !== 'number' && group.membership?.kind === 'consumer')
  assert.equal(group.membership.members.size, memberCount)
  assert.deepEqual(new Set([...group.membership.targets.values()].map((target) => target.get('id-of-orders')?.length)), new Set([2]))
  const { epoch } = group.membership.members.get('member-0')!
  const before = table.commits.length
  await beat(next, { memberId: 'member-0', memberEpoch: epoch, topicPartitions: [] })
  assert.deepEqual(table.commits.slice(before).map((writes) => writes.length), [3], 'the head, a page, and the page that it replaces')
  assert.ok(joined < memberCount, 'members that join together are written together')
})
