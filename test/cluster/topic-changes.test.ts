import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyImage, fold, type Image, isDraining } from '../../broker/cluster/image.ts'
import { planEdits } from '../../broker/cluster/config-changes.ts'
import { type NewTopic, planMorePartitions, planTopic } from '../../broker/cluster/topic-changes.ts'
import { errorName } from '../../broker/protocol/error-code.ts'

const defaults = { partitions: 4, replicationFactor: 1, partitionsMax: 100 }

const brokers = [1, 2, 3].map((brokerId) => ({
  type: 'brokerRegistered' as const, brokerId, incarnation: 'i', diskId: 'd', host: 'h', port: 1, rack: null,
}))

const image: Image = fold(emptyImage, 1, [...brokers, { type: 'topicCreated', topicId: 'id', name: 'a.b' }])

function topic(overrides: Partial<NewTopic> = {}): NewTopic {
  return { id: 'new', name: 'new', partitions: -1, replicationFactor: -1, assignments: new Map(), configs: new Map(), ...overrides }
}

test('a new topic gets the broker\'s numbers, and its leaders are spread', () => {
  const records = planTopic(image, topic({ replicationFactor: 2, partitions: 6 }), defaults)
  assert.ok(!('code' in records))
  const leaders = records.flatMap((record) => (record.type === 'partitionChanged' ? [record.leader] : []))
  assert.deepEqual(leaders.toSorted(), [1, 1, 2, 2, 3, 3])
})

const refusals: [string, Partial<NewTopic>, string][] = [
  ['an empty name', { name: '' }, 'INVALID_TOPIC_EXCEPTION'],
  ['a name of two dots', { name: '..' }, 'INVALID_TOPIC_EXCEPTION'],
  ['a name with a slash', { name: 'a/b' }, 'INVALID_TOPIC_EXCEPTION'],
  ['a name of 250 characters', { name: 'x'.repeat(250) }, 'INVALID_TOPIC_EXCEPTION'],
  ['a name that is taken', { name: 'a.b' }, 'TOPIC_ALREADY_EXISTS'],
  ['a name that differs by a dot for an underscore', { name: 'a_b' }, 'INVALID_TOPIC_EXCEPTION'],
  ['no partitions', { partitions: 0 }, 'INVALID_PARTITIONS'],
  ['too many partitions', { partitions: 101 }, 'INVALID_PARTITIONS'],
  ['no replicas', { replicationFactor: 0 }, 'INVALID_REPLICATION_FACTOR'],
  ['more replicas than brokers', { replicationFactor: 4 }, 'INVALID_REPLICATION_FACTOR'],
  ['an unknown setting', { configs: new Map([['retention', '1']]) }, 'INVALID_CONFIG'],
  ['a setting out of range', { configs: new Map([['retention.ms', '-2']]) }, 'INVALID_CONFIG'],
  ['a policy that is none', { configs: new Map([['cleanup.policy', 'delete,forget']]) }, 'INVALID_CONFIG'],
  ['assignments with a gap', { assignments: new Map([[1, [1]]]) }, 'INVALID_REPLICA_ASSIGNMENT'],
  ['assignments to the same broker twice', { assignments: new Map([[0, [1, 1]]]) }, 'INVALID_REPLICA_ASSIGNMENT'],
  ['assignments to an unknown broker', { assignments: new Map([[0, [9]]]) }, 'INVALID_REPLICA_ASSIGNMENT'],
  ['assignments and a number', { partitions: 1, assignments: new Map([[0, [1]]]) }, 'INVALID_REQUEST'],
]

for (const [what, overrides, code] of refusals) {
  test(`a topic with ${what} is refused with ${code}`, () => {
    const plan = planTopic(image, topic(overrides), defaults)
    assert.ok('code' in plan)
    assert.equal(errorName(plan.code), code)
  })
}

test('partitions can be added but not taken away', () => {
  const records = planTopic(image, topic({ partitions: 2 }), defaults)
  assert.ok(!('code' in records))
  const made = fold(image, 2, records)
  const more = planMorePartitions(made, { name: 'new', count: 4, assignments: null }, defaults)
  assert.ok(!('code' in more))
  assert.equal(fold(made, 3, more).topics.get('new')!.partitions.length, 4)
  for (const count of [1, 2]) assert.ok('code' in planMorePartitions(made, { name: 'new', count, assignments: null }, defaults))
})

test('lists can be appended to and subtracted from, other settings cannot', () => {
  const resource = { kind: 'topic', name: 'a.b' } as const
  const edit = (name: string, operation: 'append' | 'subtract' | 'set' | 'delete', value: string | null) =>
    planEdits(image, resource, [{ name, operation, value }])
  assert.deepEqual((edit('cleanup.policy', 'append', 'compact') as { changes: unknown }).changes, [['cleanup.policy', 'delete,compact']])
  assert.deepEqual((edit('cleanup.policy', 'subtract', 'delete') as { changes: unknown }).changes, [['cleanup.policy', '']])
  assert.ok('code' in edit('retention.ms', 'append', '5'))
  assert.ok('code' in edit('retention.ms', 'set', null))
  assert.deepEqual((edit('retention.ms', 'delete', null) as { changes: unknown }).changes, [['retention.ms', null]])
})

test('a broker keeps settings that nobody knows, a topic does not', () => {
  const edit = { name: 'some.plugin.setting', operation: 'set', value: '5' } as const
  const broker = planEdits(image, { kind: 'broker', name: '1' }, [edit])
  assert.deepEqual((broker as { changes: unknown }).changes, [['some.plugin.setting', '5']])
  assert.ok('code' in planEdits(image, { kind: 'topic', name: 'a.b' }, [edit]))
})

test('what was set for a broker goes with it: a later one of its number is another one', () => {
  const resource = { kind: 'broker' as const, name: '2' }
  const drained = fold(image, 2, [{ type: 'configChanged', resource, changes: [['broker.drain', 'true']] }])
  assert.equal(isDraining(drained, 2), true)
  const removed = fold(drained, 3, [{ type: 'brokerFenced', brokerId: 2, brokerEpoch: 1 }, { type: 'brokerRemoved', brokerId: 2 }])
  assert.equal(isDraining(fold(removed, 4, [brokers[1]!]), 2), false)
})
