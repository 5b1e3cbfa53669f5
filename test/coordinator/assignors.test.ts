import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Assignment, assignmentOf, emptyAssignment, minus, partitionCountOf } from '../../broker/coordinator/consumer/assignment.ts'
import type { AssignorInput, AssignorMember } from '../../broker/coordinator/consumer/assignors/assignor.ts'
import { rangeAssignor } from '../../broker/coordinator/consumer/assignors/range.ts'
import { uniformAssignor } from '../../broker/coordinator/consumer/assignors/uniform.ts'

type Found = ReadonlyMap<string, Assignment>

interface Setting {
  readonly counts: readonly number[]
  readonly members: readonly { readonly topics: readonly number[]; readonly current: readonly (readonly [number, number])[] }[]
}

/** Small enough to look at every possible assignment. */
const smallSettings = fc.record({
  counts: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
  members: fc.array(fc.record({
    topics: fc.uniqueArray(fc.integer({ min: 0, max: 2 }), { maxLength: 3 }),
    current: fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 4 })), { maxLength: 4 }),
  }), { minLength: 1, maxLength: 3 }),
})

const likeMinded = fc.record({
  counts: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 }),
  memberCount: fc.integer({ min: 1, max: 12 }),
})

function topicId(topic: number): string {
  return `topic-${topic}`
}

function inputOf({ counts, members }: Setting): AssignorInput {
  const subscribed = new Set(members.flatMap(({ topics }) => topics).filter((topic) => topic < counts.length))
  return {
    partitionCounts: new Map([...subscribed].map((topic) => [topicId(topic), counts[topic]!])),
    members: members.map(({ topics, current }, index): AssignorMember => ({
      memberId: `m${index}`, instanceId: undefined,
      topicIds: topics.filter((topic) => topic < counts.length).map(topicId),
      current: assignmentOf(current.map(([topic, partition]) => ({ topicId: topicId(topic), partitions: [partition] }))),
    })),
  }
}

/** Members that all subscribe to all topics, with what they had. */
function homogeneous(counts: readonly number[], current: Found): AssignorInput {
  const ids = [...current.keys()]
  const topics = counts.map((_, topic) => topic)
  const input = inputOf({ counts, members: ids.map(() => ({ topics, current: [] })) })
  return { ...input, members: input.members.map((member, index) => ({ ...member, memberId: ids[index]!, current: current.get(ids[index]!)! })) }
}

function checkValid({ members, partitionCounts }: AssignorInput, found: Found): void {
  const owners = new Map<string, string>()
  for (const { memberId, topicIds } of members) {
    for (const [topic, partitions] of found.get(memberId) ?? emptyAssignment) {
      assert.ok(topicIds.includes(topic), 'only subscribers are given partitions')
      for (const partition of partitions) {
        assert.ok(partition >= 0 && partition < partitionCounts.get(topic)!, 'the partition exists')
        assert.ok(!owners.has(`${topic}/${partition}`), 'a partition has one owner')
        owners.set(`${topic}/${partition}`, memberId)
      }
    }
  }
  assert.equal(owners.size, [...partitionCounts.values()].reduce((sum, count) => sum + count, 0), 'no partition is left over')
}

function sizes(found: Found): number[] {
  return [...found.values()].map(partitionCountOf)
}

function sumOfSquares(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count * count, 0)
}

/** The evenest there is, by trying everything. */
function evenest({ members, partitionCounts }: AssignorInput): number {
  const choices = [...partitionCounts].flatMap(([topic, count]) => {
    const takers = members.flatMap(({ topicIds }, index) => (topicIds.includes(topic) ? [index] : []))
    return Array.from({ length: count }, () => takers)
  })
  const counts = members.map(() => 0)
  const search = (depth: number): number => {
    if (depth === choices.length) return sumOfSquares(counts)
    let best = Infinity
    for (const taker of choices[depth]!) {
      counts[taker] = counts[taker]! + 1
      best = Math.min(best, search(depth + 1))
      counts[taker] = counts[taker]! - 1
    }
    return best
  }
  return search(0)
}

function empty(memberCount: number): Found {
  return new Map(Array.from({ length: memberCount }, (_, index) => [`m${index}`, emptyAssignment]))
}

for (const assignor of [uniformAssignor, rangeAssignor]) {
  test(`${assignor.name}: every partition goes to exactly one member, who subscribes to it`, () => {
    fc.assert(fc.property(smallSettings, (setting) => {
      const input = inputOf(setting)
      checkValid(input, assignor.assign(input))
    }), { numRuns: 500 })
  })
}

test('uniform: no assignment is more even, whoever subscribes to what and had what', () => {
  fc.assert(fc.property(smallSettings, (setting) => {
    const input = inputOf(setting)
    assert.equal(sumOfSquares(sizes(uniformAssignor.assign(input))), evenest(input))
  }), { numRuns: 500 })
})

test('uniform: an even assignment stays as it is', () => {
  fc.assert(fc.property(likeMinded, ({ counts, memberCount }) => {
    const first = uniformAssignor.assign(homogeneous(counts, empty(memberCount)))
    assert.ok(Math.max(...sizes(first)) - Math.min(...sizes(first)) <= 1)
    assert.deepEqual(uniformAssignor.assign(homogeneous(counts, first)), first)
  }), { numRuns: 100 })
})

test('uniform: when a member goes, the others keep all that they had', () => {
  fc.assert(fc.property(likeMinded, ({ counts, memberCount }) => {
    const before = uniformAssignor.assign(homogeneous(counts, empty(memberCount + 1)))
    const rest = new Map([...before].slice(1))
    const after = uniformAssignor.assign(homogeneous(counts, rest))
    for (const [memberId, had] of rest) assert.equal(minus(had, after.get(memberId)!).size, 0)
  }), { numRuns: 100 })
})

test('uniform: when a member comes, nobody else gets anything new', () => {
  fc.assert(fc.property(likeMinded, ({ counts, memberCount }) => {
    const before = uniformAssignor.assign(homogeneous(counts, empty(memberCount)))
    const after = uniformAssignor.assign(homogeneous(counts, new Map([...before, ['new', emptyAssignment]])))
    for (const [memberId, had] of before) assert.equal(minus(after.get(memberId)!, had).size, 0)
  }), { numRuns: 100 })
})

test('range: topics with as many partitions are cut alike', () => {
  const input = homogeneous([7, 7], empty(3))
  const found = rangeAssignor.assign(input)
  assert.deepEqual([...found.values()].map((assignment) => [...assignment.values()].map((partitions) => partitions.join(' '))), [
    ['0 1 2', '0 1 2'], ['3 4', '3 4'], ['5 6', '5 6'],
  ])
})

test('range: static members come first, by their instance ids, so that a restart moves nothing', () => {
  const { members, partitionCounts } = homogeneous([3], empty(3))
  const withInstances = members.map((member, index) => ({ ...member, instanceId: ['z', 'a', undefined][index] }))
  const found = rangeAssignor.assign({ members: withInstances, partitionCounts })
  assert.deepEqual(['m1', 'm0', 'm2'].map((memberId) => found.get(memberId)!.get(topicId(0))), [[0], [1], [2]])
})

test('uniform: a thousand members of ten thousand partitions, one by one', () => {
  const counts = [6_000, 4_000]
  let current: Found = new Map()
  for (let index = 0; index < 1_000; index += 100) {
    const joined = Array.from({ length: 100 }, (_, step): [string, Assignment] => [`m${index + step}`, emptyAssignment])
    current = uniformAssignor.assign(homogeneous(counts, new Map([...current, ...joined])))
  }
  assert.deepEqual(new Set(sizes(current)), new Set([10]))
})
