import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { chooseChain, type RebuildCandidate } from '../../broker/tier/rebuild.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { partitionPrefix } from '../../broker/tier/object-key.ts'
import { BytesBody } from '../support/object-body.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { FakeLog } from './fake-log.ts'
import { TierWorld, type WorldOptions } from './tier-world.ts'

const root = temporaryDirectory()
const day = 86_400_000
let worlds = 0

function open(options: Partial<WorldOptions> = {}): Promise<TierWorld> {
  const directory = join(root, String(worlds++))
  mkdirSync(directory)
  return TierWorld.open({ directory, ...options })
}

async function tiered(segments: number) {
  const world = await open()
  world.seal({ segments })
  const partition = await world.lead()
  await world.tieredTo(partition, 50 * segments)
  const items = (prefix: string) => world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix })
  return { world, partition, items }
}

/** A key that a broker could have made, for an object that nobody knows of. */
function orphanKey(known: string): string {
  return `${known.slice(0, -22)}${'Z'.repeat(22)}`
}

suite('reconciliation of bucket and manifest', () => {
  test('an old object that nothing names is retired, and goes after the delay', async () => {
    const { world, partition, items } = await tiered(2)
    const [key] = await world.store.keys()
    await world.store.put(orphanKey(key!), new BytesBody(Buffer.from('left behind')))
    const now = world.clock.now()
    await partition.reconcile(now + day / 2)
    assert.equal((await items('retired/')).length, 0, 'it is too young')
    await partition.reconcile(now + 2 * day)
    assert.equal((await items('retired/')).length, 1)
    assert.equal((await world.store.keys()).length, 3)
    await partition.tick(now + 3 * day)
    assert.deepEqual((await world.store.keys()).includes(orphanKey(key!)), false)
    assert.ok((await world.readAll(partition, { offset: 0, end: 100 })).equals(world.log.bytesOf(0)))
  })

  test('an object whose key is not ours is told and left alone', async () => {
    const { world, partition, items } = await tiered(1)
    const [key] = await world.store.keys()
    const foreign = key!.replace(/[^/]*$/, 'readme')
    await world.store.put(foreign, new BytesBody(Buffer.from('x')))
    await partition.reconcile(world.clock.now() + 2 * day)
    assert.deepEqual(world.events.at(-1), { kind: 'foreign objects', partition: 'orders-3', keys: [foreign] })
    assert.equal((await items('retired/')).length, 0)
  })

  test('a missing object is told, and its row stays', async () => {
    const { world, partition, items } = await tiered(2)
    const [key] = await world.store.keys()
    await world.store.delete([key!])
    await partition.reconcile(world.clock.now() + 2 * day)
    assert.deepEqual(world.events.at(-1), { kind: 'object missing', partition: 'orders-3', key })
    assert.equal((await items('segment/')).length, 2)
  })

  test('any failure of store or table, at any step, changes nothing', async () => {
    class FailingTable extends MemoryTable {
      failsIn = Infinity
      override query(...args: Parameters<MemoryTable['query']>): ReturnType<MemoryTable['query']> {
        return this.failsIn-- === 0 ? Promise.reject(new Error('the table is away')) : super.query(...args)
      }
    }
    const table = new FailingTable()
    const world = await open({ table })
    world.seal({ segments: 2 })
    const partition = await world.lead()
    await world.tieredTo(partition, 100)
    const [key, other] = await world.store.keys()
    await world.store.put(orphanKey(key!), new BytesBody(Buffer.from('left behind')))
    // A row without object makes the store be asked for that one object as well.
    await world.store.delete([other!])
    const later = world.clock.now() + 2 * day
    const before = await table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix: 'retired/' })
    for (const call of ['list', 'head'] as const) {
      world.store.before = (made) => {
        if (made === call) throw new Error(`no ${call}`)
      }
      await partition.reconcile(later)
      assert.equal(world.events.at(-1)?.kind, 'task failed', call)
      assert.deepEqual(await table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix: 'retired/' }), before)
    }
    world.store.before = () => {}
    for (let step = 0; step < 3; step++) {
      table.failsIn = step
      await partition.reconcile(later)
      assert.equal(world.events.at(-1)?.kind, 'task failed', `step ${step}`)
      table.failsIn = Infinity
      assert.deepEqual(await table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix: 'retired/' }), before)
    }
    assert.equal((await world.store.keys()).length, 2)
  })

  test('an upload under way is no orphan, however old its object is said to be', async () => {
    const { world, partition, items } = await tiered(1)
    let release: (() => void) | undefined
    world.store.behind = (call) => (call === 'put' ? new Promise<void>((resolve) => (release = resolve)) : undefined)
    world.seal({ segments: 1 })
    partition.sealed()
    await world.until(() => release !== undefined, 'the object')
    await partition.reconcile(world.clock.now() + 2 * day)
    assert.equal((await items('retired/')).length, 0)
    release!()
    await world.tieredTo(partition, 100)
    assert.ok((await world.readAll(partition, { offset: 0, end: 100 })).equals(world.log.bytesOf(0)))
  })
})

suite('a manifest from the bucket alone', () => {
  const id = { topicId: 'tPcZrYzKQ0GQp6W1vHnK2A', partition: 3 }

  test('equals the one that was lost', async () => {
    const { world, items } = await tiered(5)
    const original = [...(await items('head')), ...(await items('segment/'))].map(({ sort, value }) => ({ sort, value }))
    const other = await open({ store: world.store })
    const rebuilt = await other.tier.rebuildManifest(id, { readsBatches: true })
    assert.deepEqual(rebuilt.ignored, [])
    const again = await other.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3')
    assert.deepEqual(again.map(({ sort, value }) => ({ sort, value })), original)
    world.log.leaderEpoch = 7
    const partition = await other.lead(world.log)
    assert.ok((await other.readAll(partition, { offset: 0, end: 250 })).equals(world.log.bytesOf(0)))
    await assert.rejects(other.tier.rebuildManifest(id), { code: 'damaged' })
  })

  test('leaves out what is damaged, foreign or another one\'s, and says why', async () => {
    const { world } = await tiered(4)
    const keys = (await world.store.keys()).toSorted()
    const stored = await world.store.getRange(keys[3]!, { start: 0, end: 1_000_000 })
    await world.store.put(orphanKey(keys[3]!).replace('-e5-', '-e4-'), new BytesBody(stored!))
    await world.store.put(keys[0]!.replace(/[^/]*$/, 'readme'), new BytesBody(Buffer.from('x')))
    const first = await world.store.getRange(keys[0]!, { start: 0, end: 1_000_000 })
    await world.store.delete([keys[0]!])
    first![100]! ^= 1
    await world.store.put(keys[0]!, new BytesBody(first!))
    const other = await open({ store: world.store })
    const rebuilt = await other.tier.rebuildManifest(id, { readsBatches: true })
    assert.deepEqual(rebuilt.segments.map(({ baseOffset }) => baseOffset), [50, 100, 150])
    assert.deepEqual(rebuilt.ignored.map(({ why }) => why.replace(/^v1\S+ /, '')).toSorted(), [
      'its batches do not match their checksum', 'its footer is another object\'s', 'its key is none of ours',
    ])
    assert.equal(rebuilt.head?.logStart, 50)
  })

  test('the chain reaches the furthest, with the higher generation and epoch where there is a choice', () => {
    interface Fields {
      readonly epoch?: number
      readonly generation?: number
      readonly epochs?: readonly [number, number][]
    }
    const of = (baseOffset: number, endOffset: number, fields: Fields = {}): RebuildCandidate => {
      const { epoch = 1, generation = 0, epochs = [[1, 0]] } = fields
      const key = `${baseOffset}-${endOffset}-e${epoch}-g${generation}`
      return {
        segment: {
          key, baseOffset, endOffset, epoch, generation, bytes: 2, batchesBytes: 1, batchCount: 1, recordCount: 1,
          maxTimestamp: 1, maxTimestampSoFar: 1,
          sealedAt: 1, crc32c: crc32c(Buffer.from(key)), formatVersion: 1, sections: [],
        },
        epochs: epochs.map(([one, startOffset]) => ({ epoch: one, startOffset })),
      }
    }
    const chain = (...candidates: RebuildCandidate[]) => chooseChain(candidates).map(({ key }) => key)
    assert.deepEqual(chain(), [])
    // An orphan that reaches further at once leads nowhere.
    assert.deepEqual(chain(of(0, 10), of(10, 30), of(10, 20), of(20, 40)), ['0-10-e1-g0', '10-20-e1-g0', '20-40-e1-g0'])
    // What compaction has put in place of others goes before them.
    assert.deepEqual(chain(of(0, 10), of(10, 20), of(0, 20, { generation: 1 }), of(20, 30)), ['0-20-e1-g1', '20-30-e1-g0'])
    // Two leaders uploaded the same range.
    assert.deepEqual(chain(of(0, 10, { epoch: 1 }), of(0, 10, { epoch: 2, epochs: [[1, 0], [2, 10]] })), ['0-10-e2-g0'])
    // Behind a gap history begins anew: what lies before it was given up.
    assert.deepEqual(chain(of(0, 10), of(30, 40), of(40, 50)), ['30-40-e1-g0', '40-50-e1-g0'])
    // A leader that another one overruled from offset 5 on had a history of its own.
    assert.deepEqual(chain(of(0, 20, { epoch: 1 }), of(0, 10, { epoch: 3, epochs: [[1, 0], [3, 5]] })), ['0-10-e3-g0'])
  })
})

suite('the end of a topic', () => {
  test('objects and items go after the grace, uploads fail at once, and late leaders are refused', async () => {
    const { world, partition } = await tiered(3)
    const now = world.clock.now()
    await world.tier.deleteTopic({ topicId: world.log.topicId, partitions: 4 })
    await world.tier.deleteTopic({ topicId: world.log.topicId, partitions: 4 })
    assert.equal(await world.tier.sweepDeletedTopics(now + 1000), 0)
    world.seal({ segments: 1 })
    partition.sealed()
    await world.until(() => world.events.some(({ kind }) => kind === 'fenced'), 'the fence')
    // Three, and what the fenced upload may have left: that depends on when the fence came.
    const objects = (await world.store.keys()).length
    assert.equal(await world.tier.sweepDeletedTopics(now + 3_600_000), objects)
    assert.deepEqual(await world.store.keys(), [])
    assert.deepEqual(await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3'), [])
    const late = new FakeLog(world.directory)
    late.leaderEpoch = 9
    await world.lead(late)
    const refused = world.events.at(-1)!
    assert.deepEqual([refused.kind, refused.kind === 'fenced' && refused.error.code], ['fenced', 'gone'])
    assert.deepEqual(await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3'), [])
    assert.equal((await world.table.query('tier-deleted-topics')).length, 1)
    await world.tier.sweepDeletedTopics(now + 30 * day)
    assert.deepEqual(await world.table.query('tier-deleted-topics'), [])
  })

  test('a deletion that breaks off goes on where it was', async () => {
    const { world } = await tiered(3)
    const later = world.clock.now() + 3_600_000
    await world.tier.deleteTopic({ topicId: world.log.topicId, partitions: 4 })
    let deletions = 0
    world.store.behind = (call) => {
      if (call === 'delete' && deletions++ === 0) throw new Error('crash')
    }
    await assert.rejects(world.tier.sweepDeletedTopics(later), { code: 'away' })
    assert.ok((await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3')).length > 0)
    await world.tier.sweepDeletedTopics(later)
    assert.deepEqual(await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3'), [])
    assert.equal(await world.tier.sweepDeletedTopics(later), 0)
  })

  test('a deletion that is stopped makes no further call, and goes on where it was', async () => {
    for (const call of ['list', 'delete'] as const) {
      const { world } = await tiered(3)
      const later = world.clock.now() + 3_600_000
      await world.tier.deleteTopic({ topicId: world.log.topicId, partitions: 4 })
      const stopping = new AbortController()
      world.store.behind = (called) => {
        if (called === call) stopping.abort()
      }
      const calls = world.store.calls.length
      await assert.rejects(world.tier.sweepDeletedTopics(later, stopping.signal), { name: 'AbortError' })
      // Partitions 0 to 2 have nothing, and of 3 the objects are listed first.
      const expected = call === 'list' ? ['list'] : ['list', 'list', 'list', 'list', 'delete']
      assert.deepEqual(world.store.calls.slice(calls).map((made) => made.call), expected)
      world.store.behind = () => {}
      await world.tier.sweepDeletedTopics(later)
      assert.deepEqual([await world.store.keys(), await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3')], [[], []])
    }
  })

  test('one topic whose deletion fails keeps no other from being deleted', async () => {
    const { world } = await tiered(3)
    const later = world.clock.now() + 3_600_000
    // They are gone through in the order of their ids: one stands before and one behind.
    const [before, behind] = ['aaaaaaaaaaaaaaaaaaaaaa', 'zzzzzzzzzzzzzzzzzzzzzz']
    const objects = [before, behind].map((topicId) => `${partitionPrefix('test-cluster', { topicId, partition: 0 })}x`)
    for (const key of objects) await world.store.put(key, new BytesBody(Buffer.from('x')))
    for (const topicId of [before, world.log.topicId, behind]) await world.tier.deleteTopic({ topicId, partitions: 4 })
    await world.table.commit([{
      kind: 'put', key: { partition: 'tier-deleted-topics', sort: '0' }, value: { partitions: 'many' }, expect: 'absent',
    }])
    world.store.before = (call, key) => {
      if (call === 'delete' && key.includes(world.log.topicId)) throw new Error('denied')
    }
    await assert.rejects(world.tier.sweepDeletedTopics(later), { code: 'damaged' }, 'the first one that fails is told')
    const left = await world.store.keys()
    assert.deepEqual(left.filter((key) => objects.includes(key)), [])
    assert.equal(left.length, 3)
    const finished = (await world.table.query('tier-deleted-topics')).filter(({ value }) => (value as { finishedAt?: unknown }).finishedAt === later)
    assert.deepEqual(finished.map(({ sort }) => sort).toSorted(), [before, behind])
  })
})
