import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyImage, fold, type Image, isAlive, type PartitionImage } from '../../broker/cluster/image.ts'
import {
  type Brokenness, noLeader, planElections, planFence, planHandOver, planIsr, planLeave, planOffline, planPreferred, planRegistration, planRetreat, planUnfence, type Registration,
  type TopicRules,
} from '../../broker/cluster/leadership.ts'
import type { MetadataRecord } from '../../broker/cluster/metadata-record.ts'
import { newPartition } from '../../broker/cluster/placement.ts'

const strict: TopicRules = { minIsr: 2, isUncleanElectionAllowed: false }
const rulesOf = () => strict

function apply(image: Image, records: readonly MetadataRecord[]): Image {
  return records.length === 0 ? image : fold(image, image.sequence + 1, records)
}

function registration(brokerId: number, overrides: Partial<Registration> = {}): Registration {
  return { brokerId, incarnation: 'i', diskId: `disk of ${brokerId}`, host: 'h', port: 1, rack: null, isIntact: () => true, ...overrides }
}

/** Brokers 1 to 4, and a topic with these replicas. */
function cluster(...replicas: number[][]): Image {
  let image = emptyImage
  for (const id of [1, 2, 3, 4]) image = apply(image, planRegistration(image, registration(id), rulesOf))
  return apply(image, [
    { type: 'topicCreated', topicId: 't', name: 't' }, ...replicas.map((ids, partition) => newPartition('t', partition, ids)),
  ])
}

const partition = (image: Image, index = 0): PartitionImage => image.topics.get('t')!.partitions[index]!
const epochOf = (image: Image, brokerId: number) => ({ brokerId, brokerEpoch: image.brokers.get(brokerId)!.brokerEpoch })
const state = (image: Image) => {
  const { leader, leaderEpoch, isr } = partition(image)
  return { leader, leaderEpoch, isr }
}

test('a broker that is fenced leads nothing any more, and the next replica that is in sync does', () => {
  const before = cluster([1, 2, 3])
  const after = apply(before, planFence(before, epochOf(before, 1), rulesOf))
  assert.deepEqual(state(after), { leader: 2, leaderEpoch: 1, isr: [2, 3] })
  assert.deepEqual(planFence(after, epochOf(before, 1), rulesOf), [], 'once is enough')
})

test('the in-sync replicas do not become fewer than the minimum because brokers are away', () => {
  let image = cluster([1, 2, 3])
  image = apply(image, planFence(image, epochOf(image, 1), rulesOf))
  image = apply(image, planFence(image, epochOf(image, 2), rulesOf))
  assert.deepEqual(state(image), { leader: 3, leaderEpoch: 2, isr: [2, 3] })
  image = apply(image, planFence(image, epochOf(image, 3), rulesOf))
  assert.deepEqual(state(image), { leader: noLeader, leaderEpoch: 3, isr: [2, 3] })
  image = apply(image, planUnfence(image, epochOf(image, 1), rulesOf))
  assert.equal(partition(image).leader, noLeader, 'broker 1 was not in sync any more')
  image = apply(image, planUnfence(image, epochOf(image, 2), rulesOf))
  assert.equal(partition(image).leader, 2)
})

test('a replica whose disk failed leaves, and one that is only away stays where the others are too few, and does not lead', () => {
  const before = cluster([1, 2])
  const broken = (brokenness: Brokenness) => planOffline(before, 1, { brokenness: () => brokenness, rulesOf })
  assert.deepEqual(state(apply(before, broken('lost'))), { leader: 2, leaderEpoch: 1, isr: [2] })
  const after = apply(before, broken('away'))
  assert.deepEqual(state(after), { leader: 2, leaderEpoch: 1, isr: [1, 2] })
  assert.deepEqual(planOffline(after, 1, { brokenness: () => 'away', rulesOf }), [], 'once is enough')
  const three = cluster([1, 2, 3])
  assert.deepEqual(state(apply(three, planOffline(three, 1, { brokenness: () => 'away', rulesOf }))), { leader: 2, leaderEpoch: 1, isr: [2, 3] })
})

test('what is away is led by its broker where nobody else can, and clients wait for it', () => {
  let image = cluster([1, 2])
  image = apply(image, planFence(image, epochOf(image, 2), rulesOf))
  assert.deepEqual(planOffline(image, 1, { brokenness: () => 'away', rulesOf }), [])
})

test('an unclean election happens where the topic allows it, and only where nobody is in sync', () => {
  const unclean = () => ({ ...strict, isUncleanElectionAllowed: true })
  let image = cluster([1, 2, 3])
  for (const id of [1, 2, 3]) image = apply(image, planFence(image, epochOf(image, id), rulesOf))
  image = apply(image, [{ type: 'brokerUnfenced', ...epochOf(image, 1) }])
  assert.deepEqual(planElections(image, [], rulesOf), [])
  image = apply(image, planElections(image, [], unclean))
  assert.deepEqual(state(image), { leader: 1, leaderEpoch: 4, isr: [1] })
})

test('a broker that starts again leads what only it can, in a new epoch, and hands over the rest', () => {
  let image = cluster([1, 2, 3], [1])
  image = apply(image, planRegistration(image, registration(1), rulesOf))
  assert.deepEqual(state(image), { leader: 2, leaderEpoch: 1, isr: [1, 2, 3] })
  assert.deepEqual([partition(image, 1).leader, partition(image, 1).leaderEpoch], [1, 1])
})

for (const [what, lost] of [['another disk', { diskId: 'new' }], ['a disk that lost its end', { isIntact: () => false }]] as const) {
  test(`a broker that returns with ${what} is in sync with nothing, and the only replica leads what it has`, () => {
    let image = cluster([1, 2, 3], [1])
    image = apply(image, planFence(image, epochOf(image, 2), rulesOf))
    image = apply(image, planRegistration(image, registration(1, lost), rulesOf))
    assert.deepEqual(state(image), { leader: 3, leaderEpoch: 1, isr: [3] })
    assert.equal(partition(image, 1).leader, 1)
  })
}

test('the last member that lost what it had leaves a partition that nobody may lead', () => {
  let image = cluster([1, 2, 3])
  image = apply(image, [{ type: 'partitionChanged', topicId: 't', ...partition(image), isr: [1], partitionEpoch: 1 }])
  image = apply(image, planRegistration(image, registration(1, { diskId: 'new' }), rulesOf))
  assert.deepEqual([partition(image).leader, partition(image).isr], [noLeader, []])
})

test('a broker that stops hands over, and stays in sync only where it must', () => {
  const image = cluster([1, 2, 3], [1, 2])
  const after = apply(image, planLeave(image, 1, rulesOf))
  assert.deepEqual(state(after), { leader: 2, leaderEpoch: 1, isr: [2, 3] })
  assert.deepEqual([partition(after, 1).leader, partition(after, 1).isr], [2, [1, 2]])
})

test('a leader that followers do not reach hands over to one that serves, and keeps what nobody else can lead', () => {
  const isCutOff = (_: string, { leaderEpoch }: PartitionImage) => leaderEpoch === 0
  const isHeard = () => true
  const before = cluster([1, 2, 3])
  assert.deepEqual(planHandOver(before, 2, { isCutOff, isHeard, rulesOf }), [], 'it leads nothing')
  const after = apply(before, planHandOver(before, 1, { isCutOff, isHeard, rulesOf }))
  assert.deepEqual(state(after), { leader: 2, leaderEpoch: 1, isr: [2, 3] })
  assert.deepEqual(planHandOver(after, 2, { isCutOff, isHeard, rulesOf }), [], 'another term has another silence')
  const pair = cluster([1, 2])
  assert.deepEqual(state(apply(pair, planHandOver(pair, 1, { isCutOff, isHeard, rulesOf }))), { leader: 2, leaderEpoch: 1, isr: [1, 2] })
  const alone = apply(pair, planFence(pair, epochOf(pair, 2), rulesOf))
  assert.deepEqual(planHandOver(alone, 1, { isCutOff, isHeard, rulesOf }), [])
})

test('a leader whose followers have died silently stays: it is the one that lives, and nobody else could be elected later', () => {
  const before = cluster([1, 2, 3])
  const handingOver = (...heard: number[]) =>
    planHandOver(before, 1, { isCutOff: () => true, isHeard: (id) => heard.includes(id), rulesOf }).slice(0, 1)
  assert.deepEqual(handingOver(), [])
  const dead = [2, 3].reduce((image, id) => apply(image, planFence(image, epochOf(image, id), rulesOf)), before)
  assert.deepEqual(state(dead), { leader: 1, leaderEpoch: 0, isr: [1, 3] })
  const [record] = handingOver(3)
  assert.ok(record !== undefined && record.leader === 3)
  assert.deepEqual(record.isr, [1, 2, 3], 'with one that lives there would be too few without this one')
})

test('leaders go back to where they were placed, once that replica is in sync again', () => {
  let image = cluster([1, 2, 3])
  image = apply(image, planFence(image, epochOf(image, 1), rulesOf))
  assert.deepEqual(planPreferred(image), [])
  image = apply(image, planUnfence(image, epochOf(image, 1), rulesOf))
  assert.deepEqual(planPreferred(image), [], 'not in sync yet')
  const { leader, leaderEpoch, partitionEpoch } = partition(image)
  const isr = [1, 2, 3].map((id) => epochOf(image, id))
  const expanded = planIsr(image, { topicId: 't', partition: 0, leader, leaderEpoch, partitionEpoch, isr })
  assert.ok(typeof expanded !== 'string')
  image = apply(image, [expanded])
  image = apply(image, planPreferred(image))
  assert.deepEqual(state(image), { leader: 1, leaderEpoch: 2, isr: [1, 2, 3] })
})

const wanted = { topicId: 't', partition: 0, leader: 2, leaderEpoch: 1, partitionEpoch: 1 }
const refusals: readonly [string, string, (image: Image) => object][] = [
  ['a partition that is not there', 'unknown', () => ({ partition: 9 })],
  ['a leader that is none any more', 'fenced', () => ({ leader: 1 })],
  ['a leader of an older epoch', 'fenced', () => ({ leaderEpoch: 0 })],
  ['a decision on an older state', 'stale', () => ({ partitionEpoch: 0 })],
  ['a replica that is fenced', 'ineligible', (image) => ({ isr: [1, 2, 3].map((id) => epochOf(image, id)) })],
  ['a broker that is no replica', 'ineligible', (image) => ({ isr: [2, 3, 4].map((id) => epochOf(image, id)) })],
  ['a list without the leader', 'ineligible', (image) => ({ isr: [epochOf(image, 3)] })],
]

for (const [what, refusal, change] of refusals) {
  test(`a change of the in-sync replicas is refused: ${what}`, () => {
    const before = cluster([1, 2, 3])
    const image = apply(before, planFence(before, epochOf(before, 1), rulesOf))
    const isr = [2, 3].map((id) => epochOf(image, id))
    assert.ok(typeof planIsr(image, { ...wanted, isr }) !== 'string')
    assert.equal(planIsr(image, { ...wanted, isr, ...change(image) }), refusal)
  })
}

test('a replica that started again since the leader saw it is not added', () => {
  let image = cluster([1, 2, 3])
  image = apply(image, planFence(image, epochOf(image, 1), rulesOf))
  const before = epochOf(image, 1)
  image = apply(image, planRegistration(image, registration(1), rulesOf))
  const isr = (one: { brokerId: number; brokerEpoch: number }) => [one, epochOf(image, 2), epochOf(image, 3)]
  assert.equal(planIsr(image, { ...wanted, isr: isr(before) }), 'ineligible')
  assert.ok(typeof planIsr(image, { ...wanted, isr: isr(epochOf(image, 1)) }) !== 'string')
})

type Step = { readonly kind: 'fence' | 'unfence' | 'restart' | 'wipe' | 'retreat' | 'leave' | 'prefer'; readonly broker: number }

function take(image: Image, { kind, broker }: Step): readonly MetadataRecord[] {
  switch (kind) {
    case 'fence': return planFence(image, epochOf(image, broker), rulesOf)
    case 'unfence': return planUnfence(image, epochOf(image, broker), rulesOf)
    case 'restart': return planRegistration(image, { ...registration(broker), diskId: image.brokers.get(broker)!.diskId }, rulesOf)
    case 'wipe': return planRegistration(image, registration(broker, { diskId: `${image.sequence}` }), rulesOf)
    case 'retreat': return planRetreat(image, registration(broker, { diskId: `${image.sequence}` }), rulesOf)
    case 'leave': return planLeave(image, broker, rulesOf)
    case 'prefer': return planPreferred(image)
  }
}

test('whatever happens: leaders serve and are in sync, epochs grow, and members leave below the minimum only with their disk', () => {
  const step = fc.record({
    kind: fc.constantFrom('fence', 'unfence', 'restart', 'wipe', 'retreat', 'leave', 'prefer'), broker: fc.integer({ min: 1, max: 4 }),
  }) as fc.Arbitrary<Step>
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    let image = cluster([1, 2, 3], [2, 3, 4], [4, 1])
    for (const one of steps) {
      const next = apply(image, take(image, one))
      for (const [index, now] of next.topics.get('t')!.partitions.entries()) {
        const then = partition(image, index)
        if (now.leader !== noLeader) assert.ok(now.isr.includes(now.leader) && isAlive(next, now.leader))
        if (now.leader !== then.leader) assert.ok(now.leaderEpoch > then.leaderEpoch)
        assert.ok(now.leaderEpoch >= then.leaderEpoch && now.partitionEpoch >= then.partitionEpoch)
        assert.ok(now.isr.every((id) => then.isr.includes(id)), 'nobody joins without its leader')
        const left = then.isr.filter((id) => !now.isr.includes(id))
        if (now.isr.length < strict.minIsr) assert.ok(left.every((id) => (one.kind === 'wipe' || one.kind === 'retreat') && id === one.broker))
        if (one.kind === 'wipe' || one.kind === 'retreat') assert.ok(!now.isr.includes(one.broker))
        if (one.kind === 'retreat') assert.notEqual(now.leader, one.broker)
        if (one.kind === 'restart' && then.leader === one.broker) assert.ok(now.leaderEpoch > then.leaderEpoch, 'no epoch is resumed')
      }
      image = next
    }
  }), { numRuns: 500 })
})
