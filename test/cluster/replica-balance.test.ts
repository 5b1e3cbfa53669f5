import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Image, targetReplicas } from '../../broker/cluster/image.ts'
import { rackOf, ReplicaPlacer } from '../../broker/cluster/placement.ts'
import type { WantedReassignment } from '../../broker/cluster/reassignment.ts'
import { planBalance } from '../../broker/cluster/replica-balance.ts'
import { loadsOf } from '../../broker/cluster/replica-loads.ts'
import { planRegistration } from '../../broker/cluster/leadership.ts'
import { apply, away, begun, changedTo, clusterIn, counted, registration, rulesOf, withSetting, withTopic } from './a-cluster.ts'

const all = { movesMax: Infinity }

function racksOf(image: Image, replicas: readonly number[]): number {
  return new Set(replicas.map((id) => rackOf(image.brokers.get(id)!))).size
}

/** As it is when all copies have arrived. */
function moved(image: Image, moves: readonly WantedReassignment[]): Image {
  return apply(image, moves.map(({ topic, partition: index, replicas }) => {
    const partition = image.topics.get(topic)!.partitions[index]!
    const placed = { replicas: replicas!, isr: replicas!, leader: replicas![0]!, partitionEpoch: partition.partitionEpoch + 1 }
    return { type: 'partitionChanged', topicId: topic, ...partition, ...placed }
  }))
}

test('a broker that is new gets its share, of each topic some', () => {
  const image = withTopic(withTopic(clusterIn([null, null, null]), 's', [[1], [2], [1]]), 't', [[1, 2], [2, 1], [1, 2]])
  const after = begun(image, planBalance(image, all))
  assert.deepEqual([...loadsOf(after)].sort(), [[1, 3], [2, 3], [3, 3]])
  for (const topic of after.topics.values()) {
    assert.ok(topic.partitions.some((partition) => targetReplicas(partition).includes(3)), topic.name)
  }
})

test('where all have as many, give or take one, nothing moves', () => {
  const image = withTopic(clusterIn([null, null, null]), 't', [[1, 2], [2, 3]])
  assert.deepEqual(planBalance(image, all), [])
})

test('no partition loses a rack by it', () => {
  const image = withTopic(clusterIn(['a', 'b', 'a']), 't', [[1, 2], [2, 1], [1, 2], [2, 1]])
  const moves = planBalance(image, all)
  // Of those on 1 only: 3 stands where 1 does.
  assert.deepEqual(moves.map(({ replicas }) => replicas!.includes(2)), [true, true])
})

test('what moves already counts, and is left alone', () => {
  let image = withTopic(clusterIn([null, null]), 't', [[1], [1], [1], [1], [1], [1]])
  image = begun(image, planBalance(image, { movesMax: 2 }))
  assert.deepEqual(planBalance(image, { movesMax: 2 }), [])
  const { length } = planBalance(image, { movesMax: 3 })
  assert.equal(length, 1)
})

test('moves that hang take no room from others', () => {
  let image = withTopic(clusterIn([null, null, null]), 't', [[1], [1], [1], [1], [1], [1]])
  image = begun(image, [{ topic: 't', partition: 0, replicas: [2] }, { topic: 't', partition: 1, replicas: [3] }])
  image = away(apply(image, [changedTo(image, { leader: -1 }, 1)]), 2)
  assert.deepEqual(planBalance(image, { movesMax: 1 }).map(({ replicas }) => replicas), [[3]])
})

test('what has no leader stays', () => {
  let image = withTopic(clusterIn([null, null]), 't', [[1], [1]])
  image = apply(image, [changedTo(image, { leader: -1 })])
  assert.deepEqual(planBalance(image, all), [{ topic: 't', partition: 1, replicas: [2] }])
})

test('a broker that is emptied, or does not serve, gets nothing', () => {
  const image = withTopic(clusterIn([null, null, null]), 't', [[1], [1], [1], [1]])
  const emptied = withSetting(image, '2', 'broker.drain', 'true')
  assert.deepEqual(planBalance(emptied, all).map(({ replicas }) => replicas), [[3], [3]])
  assert.deepEqual(planBalance(away(image, 2), all).map(({ replicas }) => replicas), [[3], [3]])
})

/** Many partitions of two replicas, of which the first one is on one of the first brokers. */
function manyPlaced(first: number, others: number) {
  return Array.from({ length: 9_000 }, (_, index) => [1 + index % first, first + 1 + index % others])
}

test('it looks at each partition a few times, however many move', () => {
  const image = withTopic(clusterIn(Array.from({ length: 11 }, () => null)), 't', manyPlaced(5, 5))
  const { image: same, looks } = counted(image)
  const moves = planBalance(same, { movesMax: 64 })
  assert.deepEqual([moves.length, moves.every(({ replicas }) => replicas!.includes(11))], [64, true])
  assert.ok(looks() < 5 * 9_000, `${looks()} looks`)
})

test('it looks at each partition a few times where many could give, and racks stand in the way', () => {
  const racks = Array.from({ length: 40 }, (_, index) => (index < 10 ? 'a' : 'b'))
  const { image, looks } = counted(withTopic(clusterIn(racks), 't', manyPlaced(10, 30)))
  assert.deepEqual(planBalance(image, { movesMax: 16 }), [])
  assert.ok(looks() < 5 * 9_000, `${looks()} looks`)
})

test('a partition that can move is found, wherever it is', () => {
  const replicas = manyPlaced(1, 1)
  for (const only of [0, 4_567, 8_999]) {
    const image = withTopic(clusterIn(['a', 'b', 'a']), 't', replicas)
    const led = apply(image, replicas.flatMap((_, index) => (index === only ? [] : [changedTo(image, { leader: -1 }, index)])))
    assert.deepEqual(planBalance(led, all), [{ topic: 't', partition: only, replicas: [3, 2] }])
  }
})

test('all brokers have as many, give or take one, and no partition has fewer racks, whatever joined', () => {
  const racks = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 2, maxLength: 6 })
  const topics = fc.array(fc.record({ partitions: fc.integer({ min: 1, max: 12 }), factor: fc.integer({ min: 1, max: 3 }) }), { maxLength: 4 })
  fc.assert(fc.property(racks, racks, topics, (of, joining, wanted) => {
    let image = clusterIn(of)
    wanted.forEach(({ partitions, factor }, index) => {
      image = withTopic(image, `${index}`, new ReplicaPlacer(image).place({ partitions, replicationFactor: Math.min(factor, of.length) }))
    })
    joining.forEach((rack, index) => {
      image = apply(image, planRegistration(image, registration(of.length + 1 + index, { rack }), rulesOf))
    })
    const before = image
    // What moves is left alone until it has arrived, so that it may take more than one plan.
    for (let plans = 0, moves = planBalance(image, all); moves.length > 0; moves = planBalance(image, all)) {
      assert.ok(plans++ < 10, 'it has an end')
      image = moved(image, moves)
    }
    for (const topic of image.topics.values()) {
      for (const partition of topic.partitions) {
        const known = before.topics.get(topic.id)!.partitions[partition.partition]!.replicas
        const target = targetReplicas(partition)
        assert.equal(new Set(target).size, known.length)
        assert.ok(racksOf(image, target) >= racksOf(image, known))
      }
    }
    // Racks may stand in the way; without them nothing does.
    if (new Set([...of, ...joining]).size > 1) return
    const loads = [...image.brokers.keys()].map((id) => loadsOf(image).get(id) ?? 0)
    assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, loads.join(' '))
  }), { numRuns: 1_000 })
})
