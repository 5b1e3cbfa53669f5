import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Controller } from '../../broker/cluster/controller.ts'
import type { Image } from '../../broker/cluster/image.ts'
import { changeInParts, changePart, fenceInParts, registerInParts } from '../../broker/cluster/large-changes.ts'
import { noLeader, planElections, planPreferred, planRegistration, planUnfence } from '../../broker/cluster/leadership.ts'
import { sessionsPartition } from '../../broker/cluster/membership.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { limits } from '../../broker/limits.ts'
import { type CommitResult, TableError, type Write } from '../../broker/table/table.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { epochOf, partitionOf, registration, rulesOf } from './a-cluster.ts'

const recordsMax = limits.metadata.partitionsPerChangeMax
const large = { topics: 15, partitions: 2_000, replicas: [1, 2, 3] }

/** A table that is away from the moment on when a test says so. */
class LeavingTable extends MemoryTable {
  commitsLeft = Infinity

  override async commit(writes: readonly Write[]): Promise<CommitResult> {
    if (this.commitsLeft-- <= 0) throw new TableError('away', 'not reached')
    return super.commit(writes)
  }
}

/** Brokers 1 to 3 and many partitions, on a table with its limits. */
async function world({ topics, partitions, replicas }: { readonly topics: number; readonly partitions: number; readonly replicas: readonly number[] }) {
  const table = new LeavingTable()
  const { itemCharactersMax, changeAttemptsMax: attemptsMax } = limits.metadata
  const open = () => MetadataLog.open({ table, itemCharactersMax, attemptsMax, itemsPerSnapshot: 1_000_000 })
  const metadata = await open()
  for (const id of [1, 2, 3]) await registerInParts(metadata, registration(id), { rulesOf, recordsMax })
  for (let topic = 0; topic < topics; topic++) {
    const topicId = `00000000-0000-4000-8000-${String(topic).padStart(12, '0')}`
    const made = Array.from({ length: partitions }, (_, index) => newPartition(topicId, index, replicas))
    await metadata.change(() => ({ records: [{ type: 'topicCreated', topicId, name: `topic-${topic}` }, ...made], answer: undefined }))
  }
  return { table, metadata, open }
}

function partitionsOf(image: Image) {
  return [...image.topics.values()].flatMap(({ partitions }) => partitions)
}

function leads(image: Image, brokerId: number): number {
  return partitionsOf(image).filter(({ leader }) => leader === brokerId).length
}

function isInSync(image: Image, brokerId: number): number {
  return partitionsOf(image).filter(({ isr }) => isr.includes(brokerId)).length
}

/** A controller that finds the session of broker 1 over. */
async function controlledBy(
  { table, metadata, partitionsPerChangeMax }: { readonly table: LeavingTable; readonly metadata: MetadataLog; readonly partitionsPerChangeMax: number },
) {
  const clock = new ManualClock()
  for (const brokerId of [2, 3]) {
    await table.commit([{ kind: 'put', key: { partition: sessionsPartition, sort: `${brokerId}` }, value: { holder: 'i', facts: null }, expect: 'absent' }])
  }
  const faults: unknown[] = []
  const fenced: number[] = []
  const controller = new Controller({
    table, clock, metadata, incarnation: 'c', rulesOf, hasSession: () => true, isRebalancing: () => false, onDraining() {},
    limits: { ttlMs: 3_000, renewEveryMs: 750, balanceEveryMs: 1_000_000, movesMax: 16, partitionsPerChangeMax },
    onFault: (cause) => faults.push(cause), onFenced: ({ brokerId }) => fenced.push(brokerId),
  })
  const lookUntil = async (isDone: () => boolean) => {
    for (let turns = 0; turns < 100 && !isDone(); turns++) await clock.advance(0)
    assert.ok(isDone())
    void controller.stop()
    await clock.advance(1_000)
  }
  return { faults, fenced, lookUntil }
}

const lostDisk = registration(1, { incarnation: 'second', diskId: 'new' })

describe('a broker with more partitions than one commit takes', () => {
  test('is fenced by the controller once its session is over, and others lead all of it', async () => {
    const { table, metadata } = await world(large)
    const { faults, fenced, lookUntil } = await controlledBy({ table, metadata, partitionsPerChangeMax: recordsMax })
    await lookUntil(() => leads(metadata.image, 1) === 0)
    assert.deepEqual([faults, fenced], [[], [1]])
    assert.deepEqual([leads(metadata.image, 1), isInSync(metadata.image, 1), leads(metadata.image, 2)], [0, 0, 30_000])
  })

  test('that cannot be fenced keeps nobody else from being elected', async () => {
    const { table, metadata } = await world(large)
    await metadata.change(() => ({
      records: [{ type: 'topicCreated', topicId: 't', name: 't' }, { ...newPartition('t', 0, [2, 3]), leader: noLeader }], answer: undefined,
    }))
    const { faults, lookUntil } = await controlledBy({ table, metadata, partitionsPerChangeMax: Infinity })
    await lookUntil(() => partitionOf(metadata.image).leader === 2)
    assert.deepEqual(faults.map((cause) => (cause as TableError).code), ['invalid'])
  })

  test('leaves, serves again, and is given back what it led', async () => {
    // With two replicas both stay in sync: fewer would be too few.
    const { metadata } = await world({ ...large, replicas: [1, 2] })
    const own = epochOf(metadata.image, 1)
    await fenceInParts(metadata, own, { rulesOf, recordsMax })
    assert.deepEqual([metadata.image.brokers.get(1)!.isFenced, leads(metadata.image, 2)], [true, 30_000])
    await changePart(metadata, (image) => planUnfence(image, own, rulesOf), { recordsMax })
    assert.equal(await changeInParts(metadata, planPreferred, { recordsMax }), 30_000)
    assert.equal(leads(metadata.image, 1), 30_000)
  })

  test('serves again, and elections give it what nobody else can lead', async () => {
    const { metadata } = await world({ ...large, replicas: [1] })
    const own = epochOf(metadata.image, 1)
    await fenceInParts(metadata, own, { rulesOf, recordsMax })
    assert.equal(leads(metadata.image, noLeader), 30_000)
    await changePart(metadata, (image) => planUnfence(image, own, rulesOf), { recordsMax })
    assert.ok(leads(metadata.image, 1) > 0)
    await changeInParts(metadata, (image) => planElections(image, [], rulesOf), { recordsMax })
    assert.equal(leads(metadata.image, 1), 30_000)
  })

  test('registers without its disk only when it is in sync with nothing any more', async () => {
    const { metadata } = await world(large)
    const seen: { readonly isElectable: boolean; readonly leads: number; readonly inSync: number }[] = []
    metadata.onChange((image) => {
      const isElectable = !image.brokers.get(1)!.isFenced
      seen.push({ isElectable, leads: leads(image, 1), inSync: isInSync(image, 1) })
    })
    await registerInParts(metadata, lostDisk, { rulesOf, recordsMax })
    assert.deepEqual(seen.at(-1), { isElectable: true, leads: 0, inSync: 0 })
    assert.deepEqual(seen.filter(({ isElectable, inSync }) => isElectable && inSync > 0), [])
    assert.equal(leads(metadata.image, 2), 30_000)
  })

  test('registers with its disk in a new epoch of all that only it can lead', async () => {
    const { metadata } = await world({ ...large, replicas: [1] })
    await registerInParts(metadata, registration(1, { incarnation: 'second' }), { rulesOf, recordsMax })
    await changeInParts(metadata, (image) => planElections(image, [], rulesOf), { recordsMax })
    assert.equal(leads(metadata.image, 1), 30_000)
    assert.ok(partitionsOf(metadata.image).every(({ leaderEpoch }) => leaderEpoch > 0))
  })
})

const small = { topics: 1, partitions: 7, replicas: [1, 2, 3] }

describe('a change in parts', () => {
  test('that ends in the middle of a fence leaves no leader that does not serve to elections', async () => {
    const { table, metadata } = await world(small)
    table.commitsLeft = 1
    const told: string[] = []
    const fencing = fenceInParts(metadata, epochOf(metadata.image, 1), { rulesOf, recordsMax: 3, onFenced: () => told.push('fenced') })
    await assert.rejects(fencing, TableError)
    table.commitsLeft = Infinity
    assert.deepEqual([metadata.image.brokers.get(1)!.isFenced, leads(metadata.image, 1), told], [true, 5, ['fenced']])
    await changeInParts(metadata, (image) => planElections(image, [], rulesOf), { recordsMax: 3 })
    assert.deepEqual([leads(metadata.image, 1), leads(metadata.image, 2)], [0, 7])
  })

  test('takes nothing more from a broker that serves again meanwhile', async () => {
    const { metadata, open } = await world(small)
    const [own, rival] = [epochOf(metadata.image, 1), await open()]
    const unfenced = new Promise<void>((resolve, reject) => {
      metadata.onChange(() => void rival.change((image) => ({ records: planUnfence(image, own, rulesOf), answer: undefined })).then(resolve, reject))
    })
    await Promise.all([fenceInParts(metadata, own, { rulesOf, recordsMax: 3 }), unfenced])
    await metadata.refresh()
    const { isFenced } = metadata.image.brokers.get(1)!
    assert.equal(isFenced, false)
    assert.ok(leads(metadata.image, 1) > 0)
  })

  test('of a registration that ends in the middle goes on with the next start', async () => {
    const { table, metadata, open } = await world(small)
    table.commitsLeft = 2
    await assert.rejects(registerInParts(metadata, lostDisk, { rulesOf, recordsMax: 3 }), TableError)
    table.commitsLeft = Infinity
    assert.deepEqual([metadata.image.brokers.get(1)!.isFenced, metadata.image.brokers.get(1)!.incarnation], [true, 'i'])
    const again = await open()
    await registerInParts(again, { ...lostDisk, incarnation: 'third' }, { rulesOf, recordsMax: 3 })
    assert.deepEqual([again.image.brokers.get(1)!.isFenced, isInSync(again.image, 1), leads(again.image, 1)], [false, 0, 0])
  })

  test('of a registration holds against an earlier start that asks to serve again all the time', async () => {
    const { metadata, open } = await world({ ...small, replicas: [1] })
    const [own, rival] = [epochOf(metadata.image, 1), await open()]
    let asks = 3
    const ledIn = new Map<string, Set<number>>()
    metadata.onChange((image) => {
      for (const { partition, leader, leaderEpoch } of partitionsOf(image)) {
        if (leader !== 1) continue
        const key = `partition ${partition} in epoch ${leaderEpoch}`
        ledIn.set(key, (ledIn.get(key) ?? new Set()).add(image.brokers.get(1)!.brokerEpoch))
      }
      if (asks-- > 0) void rival.change((newest) => ({ records: planUnfence(newest, own, rulesOf), answer: undefined }))
    })
    await registerInParts(metadata, registration(1, { incarnation: 'second' }), { rulesOf, recordsMax: 3 })
    await changeInParts(metadata, (image) => planElections(image, [], rulesOf), { recordsMax: 3 })
    assert.equal(leads(metadata.image, 1), 7)
    assert.ok([...ledIn.keys()].some((key) => key.endsWith('epoch 2')), 'the earlier start was elected meanwhile')
    assert.deepEqual([...ledIn].filter(([, starts]) => starts.size > 1), [], 'no epoch is led by two starts')
  })

  test('is one append where that is enough', async () => {
    const { metadata } = await world(small)
    const before = metadata.image
    const planned = planRegistration(before, lostDisk, rulesOf)
    await registerInParts(metadata, lostDisk, { rulesOf, recordsMax: planned.length })
    assert.equal(metadata.image.sequence, before.sequence + 1)
  })
})
