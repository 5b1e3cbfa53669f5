import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DrainPlanner } from '../../broker/cluster/drain.ts'
import { type Image, targetReplicas } from '../../broker/cluster/image.ts'
import { rackOf, ReplicaPlacer } from '../../broker/cluster/placement.ts'
import { apply, away, begun, changedTo, clusterIn, counted, withSetting, withTopic } from './a-cluster.ts'

const all = { movesMax: Infinity }
const planDrain = (image: Image, brokerId: number, bounds: { movesMax: number }) => new DrainPlanner(image).plan(brokerId, bounds)

test('each replica goes to a rack that has none yet, and to the broker that has the fewest', () => {
  const image = withTopic(clusterIn(['a', 'b', 'c', 'a', 'c']), 't', [[1, 2], [3, 1], [5, 2]])
  const { moves, stuck } = planDrain(image, 1, all)
  assert.deepEqual(moves, [{ topic: 't', partition: 0, replicas: [4, 2] }, { topic: 't', partition: 1, replicas: [3, 4] }])
  assert.deepEqual(stuck, [])
})

test('nothing goes to a broker that is being emptied as well', () => {
  const image = withSetting(withTopic(clusterIn([null, null, null]), 't', [[1, 3]]), '2', 'broker.drain', 'true')
  const { moves, stuck } = planDrain(image, 1, all)
  assert.deepEqual({ moves, stuck }, { moves: [], stuck: [{ topic: 't', partition: 0 }] })
})

test('a partition that is everywhere is stuck, and said to be', () => {
  const image = withTopic(clusterIn([null, null]), 't', [[1, 2], [1]])
  const { moves, stuck } = planDrain(image, 1, all)
  assert.deepEqual({ moves, stuck }, { moves: [{ topic: 't', partition: 1, replicas: [2] }], stuck: [{ topic: 't', partition: 0 }] })
})

test('no more move at a time than are allowed to, and what moves already is left alone', () => {
  let image = withTopic(clusterIn([null, null, null]), 't', [[1, 2], [1, 2], [1, 3]])
  assert.deepEqual(planDrain(image, 1, all).progress, { left: 3, moving: 0, hanging: 0, leads: 3 })
  const { moves } = planDrain(image, 1, { movesMax: 2 })
  assert.equal(moves.length, 2)
  image = begun(image, moves)
  assert.deepEqual(planDrain(image, 1, all).progress, { left: 3, moving: 2, hanging: 0, leads: 3 })
  assert.deepEqual(planDrain(image, 1, { movesMax: 2 }).moves, [])
  assert.equal(planDrain(image, 1, { movesMax: 3 }).moves.length, 1)
})

test('what has no leader does not move, and takes no room from others', () => {
  const noLeader = { leader: -1, isr: [2] }
  let image = withTopic(clusterIn([null, null, null]), 't', [[1, 2], [1, 2], [1, 2]])
  image = apply(image, [changedTo(image, noLeader)])
  const { moves } = planDrain(image, 1, { movesMax: 1 })
  assert.deepEqual(moves, [{ topic: 't', partition: 1, replicas: [3, 2] }])
  image = begun(image, moves)
  image = apply(image, [changedTo(image, noLeader, 1)])
  const after = planDrain(image, 1, { movesMax: 1 })
  assert.deepEqual(after.moves, [{ topic: 't', partition: 2, replicas: [3, 2] }])
  assert.deepEqual(after.progress, { left: 3, moving: 0, hanging: 2, leads: 1 })
})

test('what waits for a broker that is away goes to another one, also together with the replica that leaves', () => {
  let image = begun(withTopic(clusterIn([null, null, null, null, null]), 't', [[1, 2], [1, 2]]), [
    { topic: 't', partition: 0, replicas: [3, 2] }, { topic: 't', partition: 1, replicas: [1, 3] },
  ])
  image = away(image, 3)
  const { moves, progress } = planDrain(image, 1, all)
  assert.deepEqual(moves, [{ topic: 't', partition: 0, replicas: [4, 2] }, { topic: 't', partition: 1, replicas: [5, 2] }])
  assert.deepEqual(progress, { left: 2, moving: 0, hanging: 2, leads: 2 })
  image = begun(image, moves)
  assert.deepEqual(planDrain(image, 1, all).progress, { left: 2, moving: 2, hanging: 0, leads: 2 })
})

test('a broker that is away, and emptied, has neither what it had nor what was on its way to it', () => {
  let image = withTopic(clusterIn([null, null, null, null]), 't', [[1], [1], [2, 3]])
  image = away(begun(image, [{ topic: 't', partition: 0, replicas: [3] }, { topic: 't', partition: 1, replicas: [3] }]), 3)
  image = begun(image, planDrain(image, 3, all).moves)
  assert.deepEqual(image.topics.get('t')!.partitions.map(targetReplicas), [[1], [4], [2, 1]])
})

test('where nobody else can take it, a move waits for the broker that is away', () => {
  const image = away(begun(withTopic(clusterIn([null, null, null]), 't', [[1, 2]]), [{ topic: 't', partition: 0, replicas: [3, 2] }]), 3)
  assert.deepEqual(planDrain(image, 1, all), { moves: [], stuck: [], progress: { left: 1, moving: 0, hanging: 1, leads: 1 } })
})

test('a copy that is made, and waits for others to be in sync, takes no room from others', () => {
  let image = begun(withTopic(clusterIn([null, null, null]), 't', [[1, 2], [1, 2]]), [{ topic: 't', partition: 0, replicas: [3, 2] }])
  image = away(apply(image, [changedTo(image, { isr: [1, 3] })]), 2)
  const { moves, progress } = planDrain(image, 1, { movesMax: 1 })
  assert.deepEqual(moves, [{ topic: 't', partition: 1, replicas: [3, 2] }])
  assert.deepEqual(progress, { left: 2, moving: 0, hanging: 1, leads: 2 })
})

test('it looks at each partition a few times, also where several brokers are emptied', () => {
  const replicas = Array.from({ length: 9_000 }, (_, index) => [1 + index % 10, 1 + (index + 1) % 10])
  const { image, looks } = counted(withTopic(clusterIn(Array.from({ length: 11 }, () => null)), 't', replicas))
  const planner = new DrainPlanner(image)
  assert.equal(planner.plan(1, { movesMax: 16 }).moves.length, 16)
  assert.ok(looks() < 3 * 9_000, `${looks()} looks`)
  const before = looks()
  assert.equal(planner.plan(2, { movesMax: 16 }).moves.length, 16)
  assert.ok(looks() - before < 2 * 9_000, `${looks() - before} looks`)
})

test('a drained broker has nothing, no partition has fewer replicas or racks than it could, and no broker has much more', () => {
  const racks = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 2, maxLength: 8 })
  const topics = fc.array(fc.record({ partitions: fc.integer({ min: 1, max: 12 }), factor: fc.integer({ min: 1, max: 3 }) }), { maxLength: 4 })
  fc.assert(fc.property(racks, topics, (of, wanted) => {
    let image = clusterIn(of)
    wanted.forEach(({ partitions, factor }, index) => {
      const replicas = new ReplicaPlacer(image).place({ partitions, replicationFactor: Math.min(factor, of.length) })
      image = withTopic(image, `${index}`, replicas)
    })
    const { moves, stuck } = planDrain(image, 1, all)
    image = begun(image, moves)
    const racksLeft = new Set(of.slice(1)).size
    for (const { name, partitions } of image.topics.values()) {
      for (const partition of partitions) {
        const target = targetReplicas(partition)
        const isStuck = stuck.some((one) => one.topic === name && one.partition === partition.partition)
        assert.equal(target.includes(1), isStuck)
        if (isStuck) assert.equal(target.length, of.length)
        else assert.equal(new Set(target.map((id) => rackOf(image.brokers.get(id)!))).size, Math.min(target.length, racksLeft))
      }
    }
    const { left, moving } = planDrain(image, 1, all).progress
    assert.equal(left, moving + stuck.length)
  }), { numRuns: 500 })
})
