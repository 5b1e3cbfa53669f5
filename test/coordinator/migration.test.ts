import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heartbeat } from '../../broker/api/heartbeat.ts'
import { joinGroup } from '../../broker/api/join-group.ts'
import { leaveGroup } from '../../broker/api/leave-group.ts'
import { syncGroup } from '../../broker/api/sync-group.ts'
import { assignmentOf, type Assignment, emptyAssignment } from '../../broker/coordinator/consumer/assignment.ts'
import { type ConsumerGroup, stateOf } from '../../broker/coordinator/consumer/consumer-group.ts'
import { readAssignment, writeAssignment } from '../../broker/coordinator/migration/embedded.ts'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import type { JoinGroupResponse } from '../../broker/protocol/messages/join-group.ts'
import { beat, commitOne, joinConsumers } from './asking.ts'
import { callOf, subscriptionTo } from './classic-script.ts'
import { makeWorld, type World } from './world.ts'

const metadata = subscriptionTo(['orders'])

/** A consumer of the classic protocol that revokes everything before it joins again. */
class ClassicConsumer {
  readonly #world: () => World
  memberId = ''
  generation = -1
  assignment: Assignment = emptyAssignment

  constructor(world: () => World) {
    this.#world = world
  }

  async join(): Promise<JoinGroupResponse> {
    const response = await joinGroup(this.#world().groups).handle({
      groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 20_000, memberId: this.memberId, groupInstanceId: null,
      protocolType: 'consumer', protocols: [{ name: 'range', metadata }], reason: null,
    }, callOf(3))
    if (response!.errorCode === ErrorCode.NONE) {
      this.memberId = response!.memberId
      this.generation = response!.generationId!
    }
    return response!
  }

  /** Fetches its assignment; `all` is what a leader assigns. */
  async sync(all: readonly (readonly [ClassicConsumer, readonly number[]])[] = []): Promise<string> {
    const { topics } = this.#world()
    const assignments = all.map(([{ memberId }, partitions]) => ({
      memberId, assignment: writeAssignment(assignmentOf([{ topicId: 'id-of-orders', partitions }]), { metadata, topics }),
    }))
    const response = await syncGroup(this.#world().groups).handle({
      groupId: 'g', generationId: this.generation, memberId: this.memberId, groupInstanceId: null, protocolType: 'consumer',
      protocolName: 'range', assignments,
    }, callOf(5))
    if (response!.errorCode === ErrorCode.NONE) this.assignment = readAssignment(response!.assignment, topics)!
    return errorName(response!.errorCode)
  }

  async beat(): Promise<string> {
    const request = { groupId: 'g', generationId: this.generation, memberId: this.memberId, groupInstanceId: null }
    return errorName((await heartbeat(this.#world().groups).handle(request, callOf(4)))!.errorCode)
  }

  get owned(): string {
    return this.assignment.get('id-of-orders')?.join(' ') ?? ''
  }
}

async function classicPair(given = makeWorld()) {
  let world = given
  const consumers = [new ClassicConsumer(() => world), new ClassicConsumer(() => world)] as const
  const joins = consumers.map((consumer) => consumer.join())
  await world.clock.advance(6_000)
  await Promise.all(joins)
  const [one, other] = consumers
  await Promise.all([one.sync([[one, [0, 1]], [other, [2, 3]]]), other.sync()])
  return { consumers, world: () => world, replaceWorld: (next: World) => { world = next } }
}

async function consumerGroup({ groups }: World): Promise<ConsumerGroup> {
  const group = await groups.look('g')
  assert.ok(typeof group !== 'number' && group.membership?.kind === 'consumer')
  return group.membership
}

/** Beats and joins until nobody is told to do anything any more. */
async function settle(consumers: readonly ClassicConsumer[]): Promise<void> {
  for (let round = 0; round < 4; round++) {
    for (const consumer of consumers) {
      if (await consumer.beat() !== 'REBALANCE_IN_PROGRESS') continue
      consumer.assignment = emptyAssignment
      await consumer.join()
      await consumer.sync()
    }
  }
}

test('the first member of the new protocol upgrades the group, and classic ones catch up by joining again', async () => {
  const { consumers, world } = await classicPair()
  const joined = await joinConsumers(world(), 'new')
  assert.ok(typeof joined !== 'number' && joined.memberEpoch === 2)
  assert.equal(joined.assignment?.topicPartitions.length, 0, 'all partitions are still with the others')
  assert.deepEqual(await Promise.all(consumers.map((consumer) => consumer.beat())), ['REBALANCE_IN_PROGRESS', 'REBALANCE_IN_PROGRESS'])
  await settle(consumers)
  const told = await beat(world(), { memberId: 'new', memberEpoch: 2, topicPartitions: [] })
  assert.ok(typeof told !== 'number')
  assert.equal(told.assignment?.topicPartitions[0]?.partitions.length, 1)
  assert.deepEqual(consumers.map(({ owned }) => owned.length).sort(), [1, 3], 'one has a partition and one has two')
  assert.equal(stateOf(await consumerGroup(world())), 'Stable')
})

test('a group in the middle of a migration resumes after a restart', async () => {
  const { consumers, world, replaceWorld } = await classicPair()
  await joinConsumers(world(), 'new')
  const before = await consumerGroup(world())
  world().groups.close()
  const { table, clock, topics, random } = world()
  replaceWorld(makeWorld({ table, clock, topics, random }))
  assert.deepEqual((await consumerGroup(world())).members, before.members)
  await settle(consumers)
  assert.deepEqual(await Promise.all(consumers.map((consumer) => consumer.beat())), ['NONE', 'NONE'])
})

test('classic members commit at the generation that they were told', async () => {
  const { consumers: [one], world } = await classicPair()
  await joinConsumers(world(), 'new')
  const commit = (epoch: number) => world().groups.execute('g', {
    kind: 'commitOffsets', memberId: one.memberId, instanceId: null, epoch, version: 6, retentionMs: undefined,
    offsets: [{ topicId: 'id-of-orders', partition: 0, offset: 1, leaderEpoch: 0, metadata: '' }],
  })
  assert.deepEqual(await commit(1), [ErrorCode.NONE])
  assert.equal(await commit(0), ErrorCode.ILLEGAL_GENERATION)
  assert.equal(await commitOne(world(), 1), ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a classic member that does not join again within its rebalance timeout is put out', async () => {
  const { consumers: [one, other], world } = await classicPair()
  await joinConsumers(world(), 'new')
  await settle([one])
  for (let waited = 0; waited < 20_000; waited += 5_000) {
    await world().clock.advance(5_000)
    await one.beat()
    await other.beat()
  }
  assert.equal(await other.beat(), 'UNKNOWN_MEMBER_ID')
  assert.equal((await consumerGroup(world())).members.has(one.memberId), true)
})

test('when the last member of the new protocol goes, the group is a classic one again and rebalances', async () => {
  const { consumers: [one, other], world } = await classicPair()
  await joinConsumers(world(), 'new')
  await settle([one, other])
  await beat(world(), { memberId: 'new', memberEpoch: -1 })
  assert.equal(await one.beat(), 'REBALANCE_IN_PROGRESS')
  const [first, second] = await Promise.all([one.join(), other.join()])
  assert.deepEqual([first.generationId, second.generationId], [3, 3])
  assert.equal(first.members.length + second.members.length, 2, 'one of them leads')
})

test('operators remove members of either protocol', async () => {
  const { consumers: [one], world } = await classicPair()
  await joinConsumers(world(), 'new')
  const members = ['new', one.memberId, 'nobody'].map((memberId) => ({ memberId, groupInstanceId: null, reason: null }))
  const response = await leaveGroup(world().groups).handle({ groupId: 'g', memberId: '', members }, callOf(5))
  assert.deepEqual(response!.members!.map(({ errorCode }) => errorName(errorCode)), ['NONE', 'NONE', 'UNKNOWN_MEMBER_ID'])
})

test('a group whose members are no consumers is not upgraded', async () => {
  const world = makeWorld()
  const joining = joinGroup(world.groups).handle({
    groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 20_000, memberId: '', groupInstanceId: null,
    protocolType: 'connect', protocols: [{ name: 'compatible', metadata: Buffer.from('?') }], reason: null,
  }, callOf(3))
  const answer = await joinConsumers(world, 'new')
  assert.ok(typeof answer !== 'number' && answer.errorCode === ErrorCode.GROUP_ID_NOT_FOUND)
  await world.clock.advance(3_000)
  assert.equal((await joining)!.errorCode, ErrorCode.NONE)
})
