import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ClassicGroup, metadataOf } from '../../broker/coordinator/classic/classic-group.ts'
import type { ConsumerGroup } from '../../broker/coordinator/consumer/consumer-group.ts'
import type { Group } from '../../broker/coordinator/group.ts'
import { GroupStore } from '../../broker/coordinator/group-store.ts'
import { subscribedTopicsOf } from '../../broker/coordinator/consumer/subscriptions.ts'
import { ClassicScript } from './classic-script.ts'
import { ConsumerScript } from './consumer-script.ts'
import type { World } from './world.ts'

/** What must be the same after a restart. Who waits, and what a member could do beside the chosen protocol, is not. */
function lasting({ groupId, membership, offsets }: Group): object {
  return { groupId, offsets, membership: membership?.kind === 'classic' ? lastingClassic(membership) : lastingConsumer(membership) }
}

function lastingClassic({ generation, protocolType, protocol, leader, members, statics, topics, changedAt }: ClassicGroup): object {
  const kept = [...members.values()].map(({ waiting: _, isNew: __, protocols: ___, ...member }) => ({
    ...member, metadata: metadataOf(members.get(member.memberId)!, protocol).toString('hex'),
  }))
  return { generation, protocolType, protocol, leader, members: byId(kept), statics: new Set(statics), topics, changedAt }
}

function lastingConsumer(group: ConsumerGroup | undefined): object | undefined {
  if (group === undefined) return undefined
  return { ...group, members: byId([...group.members.values()]), statics: new Set(group.statics), targets: new Set([...group.targets].map(([id, target]) => JSON.stringify([id, [...target]]))) }
}

function byId(members: readonly { readonly memberId: string }[]): object[] {
  return [...members].sort((one, other) => (one.memberId < other.memberId ? -1 : 1))
}

async function stored({ table, topics }: World): Promise<Group> {
  const store = new GroupStore({ table, brokerId: 9, subscribedBy: (members) => subscribedTopicsOf(members, topics) })
  const loaded = await store.load('g')
  assert.ok(loaded !== undefined)
  return loaded.group
}

const clients = fc.constantFrom('A', 'B', 'C')
const place = fc.tuple(fc.constantFrom('orders', 'payments'), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 99 })).map(([topic, partition, offset]) => `${topic}/${partition}=${offset}`)

const classicSteps = fc.array(fc.oneof(
  clients.map((name) => `> join ${name} v=3`), clients.map((name) => `> join ${name} instance=i${name}`), clients.map((name) => `> join ${name} v=3 topics=payments`),
  clients.map((name) => `> sync ${name} A=x B=y C=z`), clients.map((name) => `> leave ${name}`), fc.tuple(clients, place).map(([name, where]) => `> commit ${name} ${where}`),
  place.map((where) => `> commit - ${where}`), fc.constantFrom(1_000, 3_000, 20_000, 60_000).map((ms) => `> wait ${ms}`), fc.constant('> restart'), fc.constant('> delete'),
), { maxLength: 40 })

const consumerSteps = fc.array(fc.oneof(
  clients.map((name) => `> join ${name}`), clients.map((name) => `> join ${name} topics=orders,payments assignor=range`), clients.map((name) => `> join ${name} instance=i${name} regex=.*s`),
  clients.map((name) => `> beat ${name}`), clients.map((name) => `> beat ${name}`), clients.map((name) => `> beat ${name} holding`), clients.map((name) => `> leave ${name}`), clients.map((name) => `> away ${name}`),
  fc.tuple(clients, place).map(([name, where]) => `> commit ${name} ${where}`), fc.constantFrom(1_000, 50_000).map((ms) => `> wait ${ms}`),
  fc.integer({ min: 4, max: 9 }).map((count) => `> topic orders=${count}`), fc.constant('> restart'),
), { maxLength: 40 })

test('a consumer group that is loaded is the one that was stored, whatever happened to it', async () => {
  await fc.assert(fc.asyncProperty(consumerSteps, async (steps) => {
    const script = new ConsumerScript()
    await script.run(steps.join('\n'))
    const live = await script.world.groups.look('g')
    assert.ok(typeof live !== 'number')
    script.world.groups.close()
    const { subscribed: _, ...expected } = (lasting(live) as { membership?: ConsumerGroup }).membership ?? { subscribed: undefined }
    const { subscribed: __, ...found } = (lasting(await stored(script.world)) as { membership?: ConsumerGroup }).membership ?? { subscribed: undefined }
    assert.deepEqual(found, expected)
    assert.deepEqual((await stored(script.world)).offsets, live.offsets)
  }), { numRuns: 60 })
})

test('a classic group that is loaded is its last generation, and has all offsets', async () => {
  await fc.assert(fc.asyncProperty(classicSteps, async (steps) => {
    const script = new ClassicScript()
    // At the end everybody's session is over or its rebalance complete, so that what is in memory is what is stored.
    await script.run([...steps, '> wait 400000', '> list'].join('\n'))
    const live = await script.world.groups.look('g')
    assert.ok(typeof live !== 'number')
    script.world.groups.close()
    assert.deepEqual(lasting(await stored(script.world)), lasting(live))
  }), { numRuns: 60 })
})

test('a stable generation is loaded as it was', async () => {
  await fc.assert(fc.asyncProperty(classicSteps, async (steps) => {
    const script = new ClassicScript()
    await script.run([...steps, '> wait 400000', '> join D v=3 protocols=range,other', '> join E instance=iE', '> wait 6000',
      '> sync D D=x E=y', '> sync E instance=iE'].join('\n'))
    const live = await script.world.groups.look('g')
    assert.ok(typeof live !== 'number' && live.membership?.kind === 'classic' && live.membership.phase.state === 'Stable')
    assert.equal(live.membership.members.size, 2)
    script.world.groups.close()
    assert.deepEqual(lasting(await stored(script.world)), lasting(live))
  }), { numRuns: 30 })
})
