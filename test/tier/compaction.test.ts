import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { MemoryTable } from '../support/memory-table.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { ColdTierView } from '../../broker/tier/cold-tier-view.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
import { batch } from './batches.ts'
import { compactionLimits, CompactionWorld, type CompactionWorldOptions, recordsIn, settings } from './compaction-world.ts'
import { TroubledStore } from './troubled-store.ts'

const root = temporaryDirectory()
let worlds = 0

function openWorld(options: Partial<CompactionWorldOptions> = {}): Promise<CompactionWorld> {
  const directory = join(root, String(worlds++))
  mkdirSync(directory)
  return CompactionWorld.open({ directory, ...options })
}

suite('a pass over a partition in the object store', () => {
  test('leaves the newest record of each key, and all offsets covered', async () => {
    const of = await openWorld()
    const before = await of.rows()
    const end = await of.compact()
    assert.equal(end.kind, 'done')
    await of.assertCompact()
    const rows = await of.rows()
    assert.ok(rows.length < before.length / 2, `${before.length} rows became ${rows.length}`)
    assert.deepEqual([rows[0]!.baseOffset, rows.at(-1)!.endOffset], [of.start, of.end])
    assert.equal((await of.manifest().refresh())!.compaction!.cleanedEnd, of.end)
    assert.deepEqual(await of.compact(), { kind: 'idle' })
  })

  test('whatever there is, and however little room for keys: in the end each key is there once, as the fold of all says', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new SeededRandom(seed)
      const of = await openWorld({
        seed, batchesPerSegment: random.between(1, 12), keyBytesMax: 36 * 1024,
        shape: { batches: random.between(5, 200), keys: random.pick([1, 5, 40, 3000]), producers: random.between(1, 6) },
      })
      const limits = {
        ...compactionLimits, compactionObjectBytes: random.between(500, 6000), compactionGroupRowsMax: random.between(1, 6),
        compactionDirtyRowsMax: random.between(1, 8),
      }
      for (let passes = 0; ; passes++) {
        const end = await of.compact({ limits })
        if (end.kind === 'idle') break
        assert.equal(end.kind, 'done')
        await of.assertSound()
        assert.ok(passes < 100, 'it comes to an end')
      }
      await of.assertCompact()
      await of.partition.close()
    }
  })

  test('deleted keys are gone once their time is over, although nobody writes any more', async () => {
    const of = await openWorld()
    await of.compact()
    assert.ok((await of.records()).some(({ value }) => value === null), 'a tombstone outlives the pass that meets it first')
    of.clock.wall += settings.deleteRetentionMs - 1
    assert.deepEqual(await of.compact(), { kind: 'idle' })
    of.clock.wall += 1
    const end = await of.compact()
    assert.equal(end.kind === 'done' && end.why, 'horizon')
    assert.ok((await of.records()).every(({ value }) => value !== null))
    await of.assertCompact()
    const markers = async () => (await of.batches()).filter(({ recordCount, isControl }) => isControl && recordCount > 0).length
    const many = await markers()
    for (let passes = 0, isOver = false; !isOver; passes++) {
      assert.ok(passes < 5, 'nothing is done for ever')
      of.clock.wall += settings.deleteRetentionMs + 1
      isOver = (await of.compact()).kind === 'idle'
    }
    assert.ok((await markers()) < many, 'markers go too, once nothing is left of their transactions')
    of.clock.wall += settings.deleteRetentionMs * 100
    assert.deepEqual(await of.compact(), { kind: 'idle' })
    await of.assertCompact()
  })

  test('every offset can be fetched from: what comes is behind it, and it goes on to the end', async () => {
    const of = await openWorld({ shape: { keys: 2 } })
    await of.compact()
    of.clock.wall += settings.deleteRetentionMs
    await of.compact()
    const reader = of.reader()
    for (let offset = of.start; offset < of.end; offset++) {
      const result = await of.world.read(reader, offset, { bytesMax: 1 })
      assert.equal(result.kind, 'batches')
      assert.ok(result.kind === 'batches' && result.bytes > 0 && result.nextOffset > offset, `at ${offset}`)
    }
  })

  test('a topic of which nothing is left stays covered, and is read to its end', async () => {
    for (let seed = 1, empty = 0; empty < 2; seed++) {
      const of = await openWorld({ seed, shape: { keys: 1, producers: 1, batches: 30 } })
      const isEmpty = of.keysLeft === 0
      for (let passes = 0; isEmpty && (await of.compact()).kind !== 'idle'; passes++) of.clock.wall += 2 * settings.deleteRetentionMs
      if (isEmpty) {
        empty++
        const rows = await of.rows()
        assert.deepEqual([rows[0]!.baseOffset, rows.at(-1)!.endOffset], [of.start, of.end])
        assert.deepEqual(await of.records(), [])
        assert.equal((await of.batches()).at(-1)!.endOffset, of.end)
        await of.assertCompact()
      }
      await of.partition.close()
    }
  })

  test('the map of keys has no room for those of one batch: that is said, and nothing is done', async () => {
    const of = await openWorld({ shape: { batches: 12, keys: 10 }, keyBytesMax: 36 * 1024 })
    const rows = await of.rows()
    const io = {
      openCompaction: async () => ({ endOffset: of.start, keys: 0 }), closeCompaction: async () => undefined,
    } as unknown as CompactionWorld['world']['io']
    await assert.rejects(of.compact({ io }), (cause) => cause instanceof TierError && cause.code === 'busy')
    assert.deepEqual(await of.rows(), rows)
  })
})

suite('a gap between the tier and the log', () => {
  test('is said with where the log goes on, and is no sign of a lost manifest', async () => {
    const of = await openWorld({ shape: { batches: 10 } })
    const { world } = of
    const { endOffset } = world.log
    world.log.seal([batch({ baseOffset: endOffset, timestamps: [1, 2] })], { endOffset: endOffset + 10 })
    await world.tieredTo(of.partition, endOffset + 10)
    assert.deepEqual(await world.read(of.partition, endOffset + 2), { kind: 'local', nextOffset: endOffset + 10 })
    const view = new ColdTierView(of.partition, (error) => {
      throw error
    })
    const range = { offset: endOffset + 5, endOffset: Infinity, bytesMax: 1000, minOneBatch: true, deadline: of.clock.monotonic() + 1000 }
    assert.deepEqual(await view.read(range), { nextOffset: endOffset + 10 })
  })
})

suite('what else asks for the rows of a compacted partition', () => {
  test('a reader that remembers old rows reads on, also once their objects are gone', async () => {
    const of = await openWorld({ limits: { deleteDelayMs: 0 }, ioLimits: { blockMemoryBytesMax: 1, indexBytesMax: 1 } })
    const whole = await of.records(of.partition)
    await of.compact()
    assert.deepEqual(await of.records(of.partition), whole, 'a snapshot, as long as its objects are there')
    const before = await of.world.store.keys()
    await of.world.store.delete(before.filter((key) => key.includes('-g0-')))
    const read = await of.records(of.partition)
    assert.ok(read.length < whole.length / 2)
    assert.deepEqual(read, await of.records())
  })

  test('an error of the store is never a missing object, and damage is never compacted away', async () => {
    for (const [code, trouble] of [['away', TroubledStore.away], ['missing', undefined], ['damaged', 'flip']] as const) {
      const of = await openWorld({ shape: { batches: 40 } })
      const rows = await of.rows()
      const key = rows[2]!.key
      if (typeof trouble === 'function') of.world.store.before = (call, at) => (call === 'getRange' && at === key ? trouble() : undefined)
      else if (trouble === undefined) await of.world.store.delete([key])
      else of.world.store.damage = (at, bytes, start) => (at === key && start === 0 ? flipped(bytes) : bytes)
      await assert.rejects(of.compact(), (cause) => cause instanceof TierError && cause.code === code)
      assert.deepEqual(await of.rows(), rows)
      assert.deepEqual(await of.itemsOf('retired/'), 0)
    }
  })

  test('an object that the store has spoilt is not swapped in', async () => {
    const of = await openWorld({ shape: { batches: 40 } })
    const rows = await of.rows()
    of.world.store.damage = (key, bytes, start) => (key.includes('-g1-') && start === 0 ? flipped(bytes) : bytes)
    await assert.rejects(of.compact(), (cause) => cause instanceof TierError && cause.code === 'damaged')
    assert.deepEqual(await of.rows(), rows)
    assert.ok((await of.itemsOf('retired/')) > 0, 'and is on its way out')
    of.world.store.damage = (_, bytes) => bytes
    await of.assertSound()
  })

  test('a lost disk begins behind the tier with the producers that it would have had without compaction', async () => {
    const of = await openWorld()
    const raw = await of.world.tier.restorePoint(of.world.log)
    await of.compact()
    of.clock.wall += settings.deleteRetentionMs
    await of.compact()
    assert.deepEqual(await of.world.tier.restorePoint(of.world.log), raw)
    assert.equal(raw!.offset, of.end)
  })

  test('a manifest that is made anew from the bucket has the newest generation of everything', async () => {
    const of = await openWorld()
    await of.compact()
    const rows = await of.rows()
    const table = new MemoryTable()
    const rebuilt = await (await import('../../broker/tier/rebuild.ts')).rebuildManifest({
      table, io: of.world.io, clusterId: 'test-cluster', id: of.world.log, readsBatches: true,
    })
    assert.deepEqual(rebuilt.segments.map(({ key }) => key), rows.map(({ key }) => key))
    assert.ok(rebuilt.ignored.length > rows.length, 'the old ones were there too')
  })

  test('timestamps are found where they are, and the largest is that of a record', async () => {
    for (const seed of [3, 4]) {
      const of = await openWorld({ seed })
      await of.compact()
      const reader = of.reader()
      const left = (await of.batches()).filter(({ isControl }) => !isControl)
      const offsets = new Set(recordsIn(left).map(({ offset }) => offset))
      const records = of.history.flatMap((batch) => batch.records).filter(({ offset }) => offsets.has(offset))
      const largest = Math.max(...records.map(({ timestamp }) => timestamp))
      assert.equal((await reader.maxTimestamp())!.timestamp, largest)
      for (const wanted of [...records.map(({ timestamp }) => timestamp), largest + 1, 0].filter((one) => one >= 0)) {
        const found = await reader.offsetForTimestamp(wanted)
        assert.equal(found?.offset, records.find(({ timestamp }) => timestamp >= wanted)?.offset, `for ${wanted}`)
      }
    }
  })
})

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[70]! ^= 1
  return copy
}
