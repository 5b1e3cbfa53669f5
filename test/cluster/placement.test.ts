import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { aliveBrokers, fold, type Image } from '../../broker/cluster/image.ts'
import { rackOf, ReplicaPlacer } from '../../broker/cluster/placement.ts'
import { clusterIn, withSetting, withTopic } from './a-cluster.ts'

/** How often each broker is named. */
function countsOf(image: Image, named: readonly number[]): number[] {
  return aliveBrokers(image).map(({ brokerId }) => named.filter((id) => id === brokerId).length)
}

const spread = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts)

/** How many replicas a partition has in each rack. */
function rackCounts(image: Image, replicas: readonly number[]): number[] {
  const racks = new Map(aliveBrokers(image).map((broker) => [rackOf(broker), 0]))
  for (const id of replicas) {
    const rack = rackOf(image.brokers.get(id)!)
    racks.set(rack, racks.get(rack)! + 1)
  }
  return [...racks.values()]
}

const equalRacks = fc.record({ racks: fc.integer({ min: 1, max: 5 }), size: fc.integer({ min: 1, max: 4 }) })
const topics = fc.array(fc.record({ partitions: fc.integer({ min: 1, max: 30 }), factor: fc.integer({ min: 1, max: 5 }) }), { minLength: 1, maxLength: 6 })

test('where racks are equal, each broker has as many replicas and leaders of a topic as any other, give or take one', () => {
  fc.assert(fc.property(equalRacks, topics, ({ racks, size }, wanted) => {
    let image = clusterIn(Array.from({ length: racks * size }, (_, index) => (racks === 1 ? null : `rack ${index % racks}`)))
    wanted.forEach(({ partitions, factor }, index) => {
      const replicas = new ReplicaPlacer(image).place({ partitions, replicationFactor: Math.min(factor, racks * size) })
      assert.ok(spread(countsOf(image, replicas.flat())) <= 1, 'replicas')
      assert.ok(spread(countsOf(image, replicas.map((ids) => ids[0]!))) <= 1, `leaders ${JSON.stringify(replicas)}`)
      image = withTopic(image, `${index}`, replicas)
    })
  }), { numRuns: 1000 })
})

test('whatever the racks are, a partition is in as many of them as it can be, and on no broker twice', () => {
  const racks = fc.array(fc.constantFrom('a', 'b', 'c', null), { minLength: 1, maxLength: 12 })
  fc.assert(fc.property(racks, topics, (of, wanted) => {
    const image = clusterIn(of)
    for (const { partitions, factor } of wanted) {
      const replicationFactor = Math.min(factor, of.length)
      for (const replicas of new ReplicaPlacer(image).place({ partitions, replicationFactor })) {
        assert.equal(new Set(replicas).size, replicationFactor)
        const counts = rackCounts(image, replicas)
        assert.equal(counts.filter((count) => count > 0).length, Math.min(replicationFactor, counts.length))
      }
    }
  }), { numRuns: 500 })
})

test('many topics of one partition are as even as one topic of many', () => {
  let image = clusterIn(['a', 'b', 'c', 'a', 'b', 'c'])
  const all: number[][] = []
  for (let index = 0; index < 20; index++) {
    const replicas = new ReplicaPlacer(image).place({ partitions: 1, replicationFactor: 3 })
    all.push(...replicas)
    image = withTopic(image, `${index}`, replicas)
  }
  assert.ok(spread(countsOf(image, all.flat())) <= 1)
  assert.ok(spread(countsOf(image, all.map((ids) => ids[0]!))) <= 1)
})

test('topics that are made by one change know of each other', () => {
  const image = clusterIn([null, null, null])
  const placer = new ReplicaPlacer(image)
  const replicas = [1, 2, 3].flatMap(() => placer.place({ partitions: 1, replicationFactor: 1 }))
  assert.deepEqual(countsOf(image, replicas.flat()), [1, 1, 1])
})

test('added partitions make up for what the topic has', () => {
  const image = withTopic(clusterIn([null, null, null, null]), 't', [[1, 2], [1, 2], [1, 2]])
  const added = new ReplicaPlacer(image).place({ partitions: 3, replicationFactor: 2, topic: image.topics.get('t')! })
  assert.deepEqual(countsOf(image, added.flat()), [0, 0, 3, 3])
})

test('the partitions of a broker are shared with many others', () => {
  const image = clusterIn(Array.from({ length: 6 }, () => null))
  const replicas = new ReplicaPlacer(image).place({ partitions: 30, replicationFactor: 2 })
  for (const { brokerId } of aliveBrokers(image)) {
    const others = new Set(replicas.filter((ids) => ids.includes(brokerId)).flat())
    assert.ok(others.size - 1 >= 4, `broker ${brokerId} shares with ${others.size - 1}`)
  }
})

test('a broker that does not serve gets nothing, and the same image gives the same places', () => {
  let image = clusterIn(['a', 'b', 'c', 'a'])
  image = fold(image, 2, [{ type: 'brokerFenced', brokerId: 2, brokerEpoch: 1 }])
  const place = () => new ReplicaPlacer(image).place({ partitions: 9, replicationFactor: 2 })
  assert.ok(!place().flat().includes(2))
  assert.deepEqual(place(), place())
})

for (const [what, rackOfBroker] of [
  ['no racks', () => null], ['three racks', (index: number) => `${index % 3}`], ['a rack for each broker', (index: number) => `${index}`],
] as const) {
  test(`what a replica takes to place does not grow with the number of brokers: ${what}`, () => {
    const [partitions, replicationFactor] = [8_000, 3]
    for (const brokers of [30, 150]) {
      const image = clusterIn(Array.from({ length: brokers }, (_, index) => rackOfBroker(index)))
      const placer = new ReplicaPlacer(image)
      const replicas = placer.place({ partitions, replicationFactor })
      assert.ok(spread(countsOf(image, replicas.flat())) <= 1)
      const perReplica = placer.looks / (partitions * replicationFactor)
      assert.ok(perReplica < 40, `${perReplica} brokers were looked at for each replica, of ${brokers}`)
    }
  })
}

test('a broker that is emptied gets nothing new, unless there would be too few', () => {
  const image = withSetting(clusterIn([null, null, null]), '2', 'broker.drain', 'true')
  const placed = (replicationFactor: number) => new ReplicaPlacer(image).place({ partitions: 4, replicationFactor })
  assert.ok(placed(2).flat().every((id) => id !== 2))
  assert.deepEqual(placed(3).map((replicas) => [...replicas].sort()), Array(4).fill([1, 2, 3]))
})
