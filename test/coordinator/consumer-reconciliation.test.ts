import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Assignment, assignmentOf, emptyAssignment, isEqual, topicPartitionsOf } from '../../broker/coordinator/consumer/assignment.ts'
import { type ConsumerGroup, revokingOf, stateOf } from '../../broker/coordinator/consumer/consumer-group.ts'
import type { ConsumerGroupHeartbeatResponse } from '../../broker/protocol/messages/consumer-group-heartbeat.ts'
import { beat, joinConsumers } from './asking.ts'
import { FakeTopics } from './fake-topics.ts'
import { makeWorld, type World } from './world.ts'

const memberIds = ['A', 'B', 'C', 'D']

const actions = fc.array(fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('beat', 'stubborn', 'brief'), memberId: fc.constantFrom(...memberIds) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('join', 'joinBoth'), memberId: fc.constantFrom(...memberIds) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('leave', 'silence', 'grow', 'restart'), memberId: fc.constantFrom(...memberIds) }) },
), { maxLength: 60 })

interface Client {
  epoch: number
  told: Assignment
  /** What it really consumes, which it may be slow to give up. */
  owned: Assignment
}

/** Nobody may be granted what another one has, or has still to give up. */
function checkOwners(group: ConsumerGroup): void {
  const owners = new Map<string, string>()
  for (const member of group.members.values()) {
    for (const part of [member.assigned, revokingOf(member)]) {
      for (const [topicId, partitions] of part) {
        for (const partition of partitions) {
          assert.equal(owners.get(`${topicId}/${partition}`), undefined, `${topicId}/${partition} has two owners`)
          owners.set(`${topicId}/${partition}`, member.memberId)
        }
      }
    }
  }
}

class Clients {
  world: World = makeWorld({ topics: new FakeTopics({ orders: 5, payments: 3 }) })
  readonly #clients = new Map<string, Client>()
  #partitions = 5

  async act(kind: string, memberId: string): Promise<void> {
    const client = this.#clients.get(memberId)
    if (kind === 'join' || kind === 'joinBoth') return this.#take(memberId, await joinConsumers(this.world, memberId, kind === 'join' ? ['orders'] : ['orders', 'payments']))
    if (kind === 'grow') return this.world.topics.put('orders', ++this.#partitions)
    if (kind === 'silence') return this.world.clock.advance(50_000)
    if (kind === 'restart') {
      const { table, clock, topics, random, groups } = this.world
      groups.close()
      this.world = makeWorld({ table, clock, topics, random })
      return
    }
    if (client === undefined) return
    if (kind === 'leave') {
      await beat(this.world, { memberId, memberEpoch: -1 })
      this.#clients.delete(memberId)
      return
    }
    if (kind === 'beat') client.owned = client.told
    const topicPartitions = kind === 'brief' ? null : topicPartitionsOf(client.owned).map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] }))
    this.#take(memberId, await beat(this.world, { memberId, memberEpoch: client.epoch, topicPartitions }))
  }

  #take(memberId: string, answer: ConsumerGroupHeartbeatResponse | number): void {
    assert.ok(typeof answer !== 'number')
    if (answer.errorCode !== 0) {
      // Fenced or forgotten: it has to give everything up.
      this.#clients.delete(memberId)
      return
    }
    const client = this.#clients.get(memberId) ?? { epoch: 0, told: emptyAssignment, owned: emptyAssignment }
    client.epoch = answer.memberEpoch
    if (answer.assignment != null) client.told = assignmentOf(answer.assignment.topicPartitions.map(({ topicId, partitions }) => ({ topicId: topicId!, partitions })))
    this.#clients.set(memberId, client)
  }

  async group(): Promise<ConsumerGroup | undefined> {
    const group = await this.world.groups.look('g')
    assert.ok(typeof group !== 'number')
    return group.membership?.kind === 'consumer' ? group.membership : undefined
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 6; round++) for (const memberId of memberIds) await this.act('beat', memberId)
    // Members whose process never came back.
    for (const memberId of memberIds) if (!this.#clients.has(memberId)) await beat(this.world, { memberId, memberEpoch: -1 })
    for (let round = 0; round < 6; round++) for (const memberId of memberIds) await this.act('beat', memberId)
  }
}

test('no partition ever has two owners, and the group comes to rest at its targets, whatever members do', async () => {
  await fc.assert(fc.asyncProperty(actions, async (steps) => {
    const clients = new Clients()
    for (const { kind, memberId } of steps) {
      await clients.act(kind, memberId)
      const group = await clients.group()
      if (group !== undefined) checkOwners(group)
    }
    await clients.settle()
    const group = await clients.group()
    if (group === undefined || group.members.size === 0) return
    assert.equal(stateOf(group), 'Stable')
    for (const { memberId, assigned } of group.members.values()) assert.ok(isEqual(assigned, group.targets.get(memberId)!))
  }), { numRuns: 150 })
})
