import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Image, inSyncFloor, isAlive, type PartitionImage, targetReplicas } from '../../broker/cluster/image.ts'
import {
  noLeader, planElections, planFence, planIsr, planLeave, planPreferred, planRegistration, planUnfence,
} from '../../broker/cluster/leadership.ts'
import { enteringReplicas, isMoving, planFinishedReassignments, planReassignment } from '../../broker/cluster/reassignment.ts'
import { errorName } from '../../broker/protocol/error-code.ts'
import { aCluster, apply, changedTo, epochOf, partitionOf, registration, rulesOf, strict } from './a-cluster.ts'

const rules = { mayChangeFactor: true, rulesOf }

function reassigned(image: Image, replicas: readonly number[] | null): Image {
  const plan = planReassignment(image, { topic: 't', partition: 0, replicas }, rules)
  assert.ok(plan === undefined || 'type' in plan, JSON.stringify(plan))
  return plan === undefined ? image : apply(image, [plan])
}

/** A replica has caught up, and its leader says so. */
function joined(image: Image, brokerId: number): Image {
  const { leader, leaderEpoch, partitionEpoch, isr } = partitionOf(image)
  const wanted = [...isr, brokerId].map((id) => epochOf(image, id))
  const record = planIsr(image, { topicId: 't', partition: 0, leader, leaderEpoch, partitionEpoch, isr: wanted })
  assert.ok(typeof record !== 'string', `${record}`)
  return apply(image, [record])
}

const finish = (image: Image): Image => apply(image, planFinishedReassignments(image, rulesOf))

function shown(image: Image) {
  const { leader, leaderEpoch, replicas, isr, adding = [], removing = [] } = partitionOf(image)
  return { leader, leaderEpoch, replicas, isr, adding, removing }
}

test('a reassignment has old and new replicas until the new ones are in sync, and then the new ones alone', () => {
  let image = reassigned(aCluster({ brokers: 5, replicas: [[1, 2, 3]] }), [4, 5, 1])
  const begun = { leader: 1, leaderEpoch: 0, replicas: [4, 5, 1, 2, 3], isr: [1, 2, 3], adding: [4, 5], removing: [2, 3] }
  assert.deepEqual(shown(image), begun)
  image = joined(image, 4)
  assert.deepEqual(planFinishedReassignments(image, rulesOf), [], 'one is not enough')
  image = finish(joined(image, 5))
  assert.deepEqual(shown(image), { leader: 1, leaderEpoch: 1, replicas: [4, 5, 1], isr: [1, 4, 5], adding: [], removing: [] })
  assert.equal(isMoving(partitionOf(image)), false)
  assert.deepEqual(planFinishedReassignments(image, rulesOf), [])
})

test('a leader that leaves is followed by the first of those that stay, are in sync and serve', () => {
  let image = joined(joined(reassigned(aCluster({ brokers: 4, replicas: [[1, 2]] }), [3, 4]), 3), 4)
  image = apply(image, [{ type: 'brokerFenced', ...epochOf(image, 3) }])
  assert.deepEqual(shown(finish(image)), { leader: 4, leaderEpoch: 1, replicas: [3, 4], isr: [3, 4], adding: [], removing: [] })
  image = apply(image, [{ type: 'brokerFenced', ...epochOf(image, 4) }])
  assert.deepEqual(planFinishedReassignments(image, rulesOf), [], 'nobody could lead')
})

test('what is in sync already is moved by one record', () => {
  const before = aCluster({ brokers: 3, replicas: [[1, 2, 3]] })
  const fewer = reassigned(before, [3, 2])
  assert.deepEqual(shown(fewer), { leader: 3, leaderEpoch: 1, replicas: [3, 2], isr: [2, 3], adding: [], removing: [] })
  const reordered = reassigned(before, [2, 1, 3])
  assert.deepEqual(shown(reordered), { leader: 1, leaderEpoch: 0, replicas: [2, 1, 3], isr: [1, 2, 3], adding: [], removing: [] })
  assert.equal(reassigned(before, [1, 2, 3]), before, 'nothing is recorded that changes nothing')
})

test('replicas become fewer only when all that stay are in sync', () => {
  const before = aCluster({ brokers: 3, replicas: [[1, 2, 3]] })
  const image = reassigned(apply(before, [changedTo(before, { isr: [1, 3] })]), [1, 2])
  assert.deepEqual(shown(image), { leader: 1, leaderEpoch: 0, replicas: [1, 2, 3], isr: [1, 3], adding: [], removing: [3] })
  assert.deepEqual(planFinishedReassignments(image, () => ({ ...strict, minIsr: 1 })), [], 'even if one in sync would do')
  assert.deepEqual(shown(finish(joined(image, 2))), { leader: 1, leaderEpoch: 1, replicas: [1, 2], isr: [1, 2], adding: [], removing: [] })
})

test('a reassignment does not end with fewer in sync than the topic asks for', () => {
  const before = aCluster({ brokers: 4, replicas: [[1, 2]] })
  let image = joined(reassigned(before, [1, 3]), 3)
  image = apply(image, [changedTo(image, { isr: [3, 2], leader: 2, leaderEpoch: 1 })])
  assert.deepEqual(planFinishedReassignments(image, rulesOf), [])
  assert.equal(planFinishedReassignments(image, () => ({ ...strict, minIsr: 1 })).length, 1)
})

test('called off, a partition has what it had, in an epoch in which its copies are not heard any more', () => {
  const begun = reassigned(aCluster({ brokers: 5, replicas: [[1, 2, 3]] }), [4, 5, 1])
  const expected = { leader: 1, leaderEpoch: 1, replicas: [1, 2, 3], isr: [1, 2, 3], adding: [], removing: [] }
  assert.deepEqual(shown(reassigned(begun, null)), expected)
  assert.deepEqual(shown(reassigned(joined(begun, 4), null)), expected)
})

test('called off where only a new replica keeps up with the leader, it stays until an old one does', () => {
  let image = joined(reassigned(aCluster({ brokers: 3, replicas: [[1, 2]] }), [1, 3]), 3)
  image = apply(image, [changedTo(image, { isr: [1, 3] })])
  image = reassigned(image, null)
  assert.deepEqual(shown(image), { leader: 1, leaderEpoch: 0, replicas: [1, 2, 3], isr: [1, 3], adding: [3], removing: [3] })
  assert.deepEqual(shown(finish(joined(image, 2))), { leader: 1, leaderEpoch: 1, replicas: [1, 2], isr: [1, 2], adding: [], removing: [] })
})

test('another target takes the place of the first: copies that nobody waits for leave at once', () => {
  const begun = reassigned(aCluster({ brokers: 5, replicas: [[1, 2]] }), [3, 4])
  const other = reassigned(joined(begun, 3), [5, 2])
  assert.deepEqual(shown(other), { leader: 1, leaderEpoch: 1, replicas: [5, 2, 3, 1], isr: [1, 2, 3], adding: [5, 3], removing: [3, 1] })
  assert.deepEqual(enteringReplicas(partitionOf(other)), [5])
  assert.deepEqual(shown(reassigned(other, null)).replicas, [2, 1], 'called off, it has what it had at first')
  assert.deepEqual(shown(finish(joined(other, 5))), { leader: 5, leaderEpoch: 2, replicas: [5, 2], isr: [2, 5], adding: [], removing: [] })
})

test('replicas that are added do not raise the number that has to be in sync before they are', () => {
  const image = reassigned(aCluster({ brokers: 3, replicas: [[1]] }), [1, 2, 3])
  assert.equal(inSyncFloor(partitionOf(image), 2), 1)
  assert.equal(inSyncFloor(partitionOf(finish(joined(joined(image, 2), 3))), 2), 2)
  const moving = reassigned(aCluster({ brokers: 4, replicas: [[1, 2]] }), [3, 4])
  assert.equal(inSyncFloor(partitionOf(moving), 2), 2)
})

test('the only replica that ever was in sync leads what it has, though another one is being added', () => {
  const image = reassigned(aCluster({ brokers: 2, replicas: [[1]] }), [1, 2])
  const restarted = apply(image, planRegistration(image, registration(1, { diskId: 'new' }), rulesOf))
  assert.deepEqual([partitionOf(restarted).leader, partitionOf(restarted).isr], [1, [1]])
  const both = joined(image, 2)
  const lost = apply(both, planRegistration(both, registration(1, { diskId: 'new' }), rulesOf))
  assert.deepEqual([partitionOf(lost).leader, partitionOf(lost).isr], [2, [2]])
})

test('an unclean election takes a replica that is being added only where no other serves', () => {
  const unclean = () => ({ ...strict, isUncleanElectionAllowed: true })
  const begun = reassigned(aCluster({ brokers: 3, replicas: [[1, 2]] }), [3, 1])
  const image = apply(begun, [changedTo(begun, { isr: [1] })])
  assert.equal(partitionOf(apply(image, planFence(image, epochOf(image, 1), unclean))).leader, 2)
})

const refusals: readonly [string, object, string][] = [
  ['of an unknown topic', { topic: 'u' }, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ['of a partition that is not there', { partition: 1 }, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ['of a negative partition', { partition: -1 }, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ['to nobody', { replicas: [] }, 'INVALID_REPLICA_ASSIGNMENT'],
  ['to a broker twice', { replicas: [1, 1] }, 'INVALID_REPLICA_ASSIGNMENT'],
  ['to an unknown broker', { replicas: [1, 9] }, 'INVALID_REPLICA_ASSIGNMENT'],
  ['that is called off and was never begun', { replicas: null }, 'NO_REASSIGNMENT_IN_PROGRESS'],
]

for (const [what, change, code] of refusals) {
  test(`a reassignment ${what} is refused with ${code}`, () => {
    const image = aCluster({ brokers: 3, replicas: [[1, 2]] })
    const plan = planReassignment(image, { topic: 't', partition: 0, replicas: [2, 3], ...change }, rules)
    assert.ok(plan !== undefined && 'code' in plan)
    assert.equal(errorName(plan.code), code)
  })
}

test('another number of replicas is refused where the client insists on it, and compared with where a reassignment leads', () => {
  const strictly = { mayChangeFactor: false, rulesOf }
  const ask = (image: Image, replicas: readonly number[]) => {
    const plan = planReassignment(image, { topic: 't', partition: 0, replicas }, strictly)
    return plan !== undefined && 'code' in plan ? errorName(plan.code) : 'begun'
  }
  const image = aCluster({ brokers: 4, replicas: [[1, 2]] })
  assert.equal(ask(image, [1, 2, 3]), 'INVALID_REPLICATION_FACTOR')
  assert.equal(ask(image, [3, 4]), 'begun')
  const growing = reassigned(image, [1, 2, 3])
  assert.equal(ask(growing, [3, 4]), 'INVALID_REPLICATION_FACTOR')
  assert.equal(ask(growing, [2, 3, 4]), 'begun')
})

test('a broker that does not serve may be a target, and is waited for', () => {
  let image = aCluster({ brokers: 3, replicas: [[1, 2]] })
  image = reassigned(apply(image, planFence(image, epochOf(image, 3), rulesOf)), [1, 3])
  assert.deepEqual(shown(image).adding, [3])
  image = apply(image, planUnfence(image, epochOf(image, 3), rulesOf))
  assert.deepEqual(shown(finish(joined(image, 3))).replicas, [1, 3])
})

interface Step {
  readonly kind: 'move' | 'cancel' | 'finish' | 'join' | 'fence' | 'unfence' | 'restart' | 'wipe' | 'leave' | 'prefer'
  readonly broker: number
  readonly target: readonly number[]
}

const steps = fc.array(fc.record({
  kind: fc.constantFrom('move', 'cancel', 'finish', 'join', 'join', 'fence', 'unfence', 'restart', 'wipe', 'leave', 'prefer'),
  broker: fc.integer({ min: 1, max: 5 }),
  target: fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
}) as fc.Arbitrary<Step>, { maxLength: 40 })

function taken(image: Image, { kind, broker, target }: Step): Image {
  const { leader, leaderEpoch, partitionEpoch, isr, replicas } = partitionOf(image)
  switch (kind) {
    case 'move': return reassigned(image, target)
    case 'cancel': return isMoving(partitionOf(image)) ? reassigned(image, null) : image
    case 'finish': return finish(image)
    case 'join': {
      if (leader === noLeader || isr.includes(broker) || !replicas.includes(broker)) return image
      const wanted = [...isr, broker].map((id) => epochOf(image, id))
      const record = planIsr(image, { topicId: 't', partition: 0, leader, leaderEpoch, partitionEpoch, isr: wanted })
      return typeof record === 'string' ? image : apply(image, [record])
    }
    case 'fence': return apply(image, planFence(image, epochOf(image, broker), rulesOf))
    case 'unfence': return apply(image, planUnfence(image, epochOf(image, broker), rulesOf))
    case 'restart': return apply(image, planRegistration(image, { ...registration(broker), diskId: image.brokers.get(broker)!.diskId }, rulesOf))
    case 'wipe': return apply(image, planRegistration(image, registration(broker, { diskId: `${image.sequence}` }), rulesOf))
    case 'leave': return apply(image, planLeave(image, broker, rulesOf))
    case 'prefer': return apply(image, planPreferred(image))
  }
}

function check(now: PartitionImage, then: PartitionImage, { image, step }: { readonly image: Image; readonly step: Step }): void {
  const { adding = [], removing = [], replicas, isr, leader } = now
  assert.ok(replicas.length > 0 && new Set(replicas).size === replicas.length)
  for (const id of [...adding, ...removing, ...isr]) assert.ok(replicas.includes(id))
  assert.ok(targetReplicas(now).length > 0)
  assert.ok(now.adding?.length !== 0 && now.removing?.length !== 0, 'an empty list is left out')
  if (leader !== noLeader) assert.ok(isr.includes(leader) && isAlive(image, leader))
  if (leader !== then.leader) assert.ok(now.leaderEpoch > then.leaderEpoch)
  const left = then.replicas.filter((id) => !replicas.includes(id))
  if (left.length > 0) assert.ok(now.leaderEpoch > then.leaderEpoch, 'who left is not heard any more')
  if (['move', 'cancel', 'finish'].includes(step.kind)) {
    assert.ok(isr.every((id) => then.isr.includes(id)), 'nobody is in sync because an operator says so')
    if (isr.length < then.isr.length) assert.ok(isr.length >= Math.min(strict.minIsr, replicas.length), 'enough stay')
    if (then.leader !== noLeader) assert.notEqual(leader, noLeader, 'a partition that is led stays led')
    if (then.isr.length >= inSyncFloor(then, strict.minIsr)) assert.ok(isr.length >= inSyncFloor(now, strict.minIsr), 'it stays available')
  }
}

test('whatever happens meanwhile: nobody leaves before enough stay, and a partition that can be written to stays so', () => {
  fc.assert(fc.property(fc.constantFrom([1], [1, 2], [1, 2, 3]), steps, (replicas, all) => {
    let image = aCluster({ brokers: 5, replicas: [replicas] })
    for (const step of all) {
      const then = partitionOf(image)
      image = taken(image, step)
      check(partitionOf(image), then, { image, step })
    }
  }), { numRuns: 2000 })
})

test('a reassignment ends where everybody comes back', () => {
  fc.assert(fc.property(steps, (all) => {
    let image = aCluster({ brokers: 5, replicas: [[1, 2, 3]] })
    // A wiped disk may take the last copy with it, and then nobody leads for a reason.
    for (const step of all.filter(({ kind }) => kind !== 'wipe')) image = taken(image, step)
    for (let id = 1; id <= 5; id++) image = apply(image, planUnfence(image, epochOf(image, id), rulesOf))
    image = apply(image, planElections(image, [], rulesOf))
    const target = targetReplicas(partitionOf(image))
    for (const broker of partitionOf(image).replicas) image = taken(image, { kind: 'join', broker, target: [] })
    image = finish(image)
    assert.deepEqual(shown(image), { ...shown(image), replicas: target, adding: [], removing: [] })
  }), { numRuns: 1000 })
})
