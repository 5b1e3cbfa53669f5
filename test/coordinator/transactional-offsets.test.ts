import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Group } from '../../broker/coordinator/group.ts'
import type { CommitAnswer } from '../../broker/coordinator/offsets/commit.ts'
import { isPending } from '../../broker/coordinator/offsets/pending.ts'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { turn } from '../support/manual-clock.ts'
import { beat, commitOne, committed, joinConsumers } from './asking.ts'
import { FailingTable, type Fault } from './failing-table.ts'
import { FakeTopics } from './fake-topics.ts'
import { makeWorld, type World } from './world.ts'

interface Sent {
  readonly partition?: number
  readonly partitions?: number
  readonly topic?: string
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly coordinatorEpoch?: number
  readonly memberId?: string
  readonly instanceId?: string | null
  readonly epoch?: number
}

function pend(world: World, offset: number, of: Sent = {}, guard = { isVoid: false }): Promise<CommitAnswer> {
  const { partition = 0, partitions = 1, topic = 'orders', producerId = 7, producerEpoch = 0, coordinatorEpoch = -1 } = of
  const { memberId = '', instanceId = null, epoch = -1 } = of
  const topicId = world.topics.byName(topic)!.id
  return world.groups.execute<CommitAnswer>('g', {
    kind: 'commitTransactionally', memberId, instanceId, epoch, producerId, producerEpoch, coordinatorEpoch, guard,
    offsets: Array.from({ length: partitions }, (_, index) => ({ topicId, partition: partition + index, offset, leaderEpoch: 2, metadata: 'm' })),
  })
}

interface Ending {
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly coordinatorEpoch?: number
  readonly isCommit?: boolean
  readonly hasOwnEpoch?: boolean
}

function end(world: World, of: Ending = {}): Promise<ErrorCode> {
  return world.groups.endTransaction('g', { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, isCommit: true, hasOwnEpoch: false, ...of })
}

async function isStable(world: World, partition = 0): Promise<boolean> {
  const group = await world.groups.execute<Group>('g', { kind: 'confirm' })
  assert.ok(typeof group !== 'number')
  return !isPending(group.pending, world.topics.byName('orders')!.id, partition)
}

/** The same table under a broker that knows nothing yet. */
function again({ table, clock, topics }: World): World {
  return makeWorld({ table, clock, topics })
}

const ok = [ErrorCode.NONE]

test('offsets of a transaction are seen once it is committed, by whoever coordinates the group then', async () => {
  const world = makeWorld()
  await commitOne(world, 10)
  assert.deepEqual(await pend(world, 20), ok)
  assert.deepEqual([await committed(world), await isStable(world), await isStable(world, 1)], [10, false, true])
  const next = again(world)
  assert.deepEqual([await committed(next), await isStable(next)], [10, false], 'it is in the table')
  assert.equal(await end(next), ErrorCode.NONE)
  assert.deepEqual([await committed(next), await isStable(next)], [20, true])
  const last = again(world)
  assert.deepEqual([await committed(last), await isStable(last)], [20, true])
})

test('offsets of a transaction that is aborted are gone', async () => {
  const world = makeWorld()
  await commitOne(world, 10)
  await pend(world, 20)
  assert.equal(await end(world, { isCommit: false }), ErrorCode.NONE)
  for (const one of [world, again(world)]) assert.deepEqual([await committed(one), await isStable(one)], [10, true])
})

test('each of both is one write to the table, whatever they are about', async () => {
  const table = new MemoryTable()
  const topics = new FakeTopics({ orders: 300 })
  const world = makeWorld({ table, topics })
  await commitOne(world, 1)
  let writes = 0
  const { commit } = table
  table.commit = (...args) => {
    writes += 1
    return commit.apply(table, args)
  }
  await pend(world, 20, { partitions: 300 })
  assert.equal(writes, 1)
  await end(world)
  assert.equal(writes, 2)
  assert.equal(await committed(world, 299), 20)
})

test('an end that comes again finds nothing, and takes nothing of the transaction behind it', async () => {
  const world = makeWorld()
  await pend(world, 20)
  await end(world, { producerEpoch: 1, hasOwnEpoch: true })
  await pend(world, 30, { producerEpoch: 1 })
  assert.equal(await end(world, { producerEpoch: 1, hasOwnEpoch: true, isCommit: false }), ErrorCode.NONE)
  assert.deepEqual([await committed(world), await isStable(world)], [20, false])
  await end(world, { producerEpoch: 2, hasOwnEpoch: true })
  assert.equal(await committed(world), 30)
  assert.equal(await end(world, { producerEpoch: 2, hasOwnEpoch: true }), ErrorCode.NONE)
})

test('an end of a lower epoch, or of a deposed coordinator, changes nothing', async () => {
  const world = makeWorld()
  await pend(world, 20, { producerEpoch: 3, coordinatorEpoch: 5 })
  assert.equal(await end(world, { producerEpoch: 2 }), ErrorCode.NONE)
  assert.equal(await end(world, { producerEpoch: 3, coordinatorEpoch: 4, isCommit: false }), ErrorCode.TRANSACTION_COORDINATOR_FENCED)
  assert.equal(await isStable(world), false)
  await end(world, { producerEpoch: 3, coordinatorEpoch: 5 })
  assert.equal(await committed(world), 20)
})

test('of two transactions of a producer the later one waits, and the earlier one is fenced', async () => {
  const world = makeWorld()
  await pend(world, 20, { producerEpoch: 3 })
  assert.equal(await pend(world, 30, { producerEpoch: 4 }), ErrorCode.CONCURRENT_TRANSACTIONS)
  assert.equal(await pend(world, 10, { producerEpoch: 2 }), ErrorCode.INVALID_PRODUCER_EPOCH)
  await end(world, { producerEpoch: 3 })
  assert.deepEqual([await committed(world), await pend(world, 30, { producerEpoch: 4 })], [20, ok])
})

test('what one transaction has done another does not undo', async () => {
  const world = makeWorld()
  await pend(world, 20, { partition: 0 })
  await pend(world, 21, { partition: 1, producerId: 8 })
  await end(world, { producerId: 8, isCommit: false })
  assert.deepEqual([await isStable(world, 0), await isStable(world, 1)], [false, true])
  await end(world)
  assert.deepEqual([await committed(world, 0), await committed(world, 1)], [20, undefined])
})

test('what was asked before an end is not believed after it', async () => {
  const world = makeWorld()
  await commitOne(world, 10)
  const guard = world.groups.guards.hold('g', 7)
  await end(world, { isCommit: false })
  assert.equal(await pend(world, 20, {}, guard), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  assert.equal(await isStable(world), true, 'nothing waits for an end that has been')
  const other = world.groups.guards.hold('g', 8)
  await end(world, { isCommit: false })
  assert.equal(other.isVoid, false)
  const rival = again(world)
  await committed(rival)
  assert.equal(await commitOne(world, 11), ErrorCode.NOT_COORDINATOR)
  assert.equal(other.isVoid, true, 'who has lost the group may have missed one')
})

test('who was about to make a group as the transaction ended, and is not its coordinator any more, makes none', async () => {
  for (const isDeleted of [false, true]) {
    const world = makeWorld()
    if (isDeleted) {
      await commitOne(world, 1)
      await world.groups.execute<ErrorCode>('g', { kind: 'deleteGroup' })
    }
    const rival = again(world)
    const guard = world.groups.guards.hold('g', 7)
    await world.groups.look('g')
    assert.equal(await end(rival), ErrorCode.NONE)
    assert.equal(await pend(world, 20, {}, guard), ErrorCode.NOT_COORDINATOR)
    assert.equal(await isStable(again(world)), true)
    await world.groups.look('g')
    assert.equal(world.groups.size, 1)
    world.groups.releaseGuard(guard)
    assert.equal(world.groups.size, 0, 'what is not there is not kept in memory for longer')
  }
})

test('a member is who it says it is, and a producer need not speak of members', async () => {
  const world = makeWorld()
  const joined = await joinConsumers(world, 'A')
  assert.ok(typeof joined !== 'number')
  const epoch = joined.memberEpoch
  const code = async (of: Sent) => {
    const answer = await pend(world, 1, of)
    return typeof answer === 'number' ? errorName(answer) : 'NONE'
  }
  assert.deepEqual([
    await code({ memberId: 'A', epoch }), await code({ memberId: 'A', epoch: epoch + 1 }), await code({ memberId: 'B', epoch }), await code({}),
  ], ['NONE', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'NONE'])
  assert.equal(await makeWorld().groups.execute('h', {
    kind: 'commitTransactionally', memberId: 'A', instanceId: null, epoch: 1, producerId: 7, producerEpoch: 0, coordinatorEpoch: -1,
    guard: { isVoid: false }, offsets: [],
  }), ErrorCode.ILLEGAL_GENERATION)
})

const day = 86_400_000

test('a group with offsets that wait is not forgotten, and what they may replace does not expire', async () => {
  const world = makeWorld({ settings: { offsetRetentionMs: 7 * day } })
  await commitOne(world, 10)
  await pend(world, 20)
  await world.clock.advance(8 * day)
  await world.groups.sweep()
  await turn()
  assert.equal(await committed(world), 10)
  await end(world)
  assert.equal(await committed(world), 20, 'and counts from now on')
  await world.clock.advance(8 * day)
  await world.groups.sweep()
  await turn()
  assert.equal(await committed(world), undefined)
})

test('a group that is deleted while offsets wait has those that its transaction commits', async () => {
  const world = makeWorld()
  await commitOne(world, 10, { partition: 1 })
  await pend(world, 20)
  assert.equal(await world.groups.execute<ErrorCode>('g', { kind: 'deleteGroup' }), ErrorCode.NONE)
  const next = again(world)
  assert.deepEqual([await committed(next), await committed(next, 1), await isStable(next)], [undefined, undefined, false])
  await end(next)
  assert.equal(await committed(next), 20)
})

test('a topic takes what waits for it along', async () => {
  const world = makeWorld()
  await pend(world, 20)
  world.topics.remove('orders')
  await turn()
  const group = await world.groups.execute<Group>('g', { kind: 'confirm' })
  assert.ok(typeof group !== 'number' && group.pending.size === 0)
})

test('members come and go beside offsets that wait', async () => {
  const world = makeWorld()
  await pend(world, 20)
  await joinConsumers(world, 'A')
  await beat(world, { memberId: 'A', memberEpoch: -1 })
  const next = again(world)
  assert.equal(await isStable(next), false)
  await end(next)
  assert.equal(await committed(next), 20)
})

const steps = fc.array(fc.record({
  broker: fc.constantFrom(0, 1, 2),
  what: fc.constantFrom('pend', 'pend', 'commit', 'abort', 'read', 'restart'),
  fault: fc.option(fc.constantFrom<Fault>('away', 'lost', 'dropped'), { freq: 3 }),
}), { maxLength: 50 })

/**
 * Three brokers that all take themselves for the group's coordinator, over a table that fails; one transaction after another,
 * as their coordinator has them: the next one begins once an end was answered.
 */
test('a transaction\'s offsets are all there or none, whoever was told of them and however often', async () => {
  await fc.assert(fc.asyncProperty(steps, async (history) => {
    const table = new FailingTable()
    const first = makeWorld({ table, brokerId: 0 })
    const rivals = (brokerId: number): World => makeWorld({ table, clock: first.clock, topics: first.topics, brokerId })
    const brokers = [first, rivals(1), rivals(2)]
    let [value, epoch] = [0, 0]
    let visible: number | undefined
    /** What the open transaction was told to do; `maybe`: some write of it may be there. */
    let [acknowledged, maybe] = [false, false]
    let ending: boolean | undefined
    for (const { broker, what, fault } of history) {
      const world = brokers[broker]!
      if (what === 'restart') {
        world.groups.close()
        brokers[broker] = rivals(broker)
        continue
      }
      if (fault !== null && what !== 'read') table.faults.push(fault)
      if (what === 'pend' && ending === undefined) {
        const answer = await pend(world, value + 1, { producerEpoch: epoch, partitions: 2 })
        if (Array.isArray(answer)) acknowledged = true
        maybe = maybe || acknowledged || answer === ErrorCode.COORDINATOR_NOT_AVAILABLE
      } else if (what === 'commit' || what === 'abort') {
        // A producer commits what was acknowledged, and nothing that may be half there.
        ending ??= what === 'commit' && acknowledged
        const answer = await end(world, { producerEpoch: epoch + 1, hasOwnEpoch: true, isCommit: ending })
        if (answer === ErrorCode.NONE) {
          if (ending) visible = value + 1
          value += 1
          epoch += 1
          ending = undefined
          acknowledged = maybe = false
        }
      }
      table.faults.length = 0
      if (what !== 'read') continue
      const found = [await committed(world, 0), await committed(world, 1)]
      if (found.some((one) => one !== undefined && one < -1000)) continue
      assert.equal(found[0], found[1])
      const possible = ending === true ? [visible, value + 1] : [visible]
      assert.ok(possible.includes(found[0]), `found ${found[0]}, could be ${possible.join(', ')}`)
      if (acknowledged && ending === undefined) assert.equal(await isStable(world), false)
      if (!maybe) assert.equal(await isStable(world), true)
    }
  }), { numRuns: 300 })
})
