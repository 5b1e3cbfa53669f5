// Others change the manifest while a pass is under way: another pass, uploads, retention, the next leader, a deletion. Who
// comes second gives up, and nothing that lives is touched.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { SeededRandom } from '../support/seeded-random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { CompactionWorld, type CompactionWorldOptions } from './compaction-world.ts'

const root = temporaryDirectory()
let worlds = 0

function openWorld(options: Partial<CompactionWorldOptions> = {}): Promise<CompactionWorld> {
  const directory = join(root, String(worlds++))
  mkdirSync(directory)
  return CompactionWorld.open({ directory, limits: { deleteDelayMs: 5000 }, ...options })
}

/** Runs `meddle` once, at the first put of a new object or later ones. */
function atPut(of: CompactionWorld, count: number, meddle: () => Promise<unknown>): void {
  let puts = 0
  of.world.store.before = async (call) => {
    if (call !== 'put' || ++puts !== count) return
    of.world.store.before = () => {}
    await meddle()
  }
}

async function assertTidy(of: CompactionWorld): Promise<void> {
  of.world.log.leaderEpoch++
  await of.partition.close()
  of.partition = await of.world.lead()
  for (let turns = 0; turns < 3; turns++) {
    of.clock.wall += 6000
    await of.partition.tick(of.clock.now())
  }
  const rows = await of.rows()
  assert.deepEqual((await of.world.store.keys()).sort(), rows.map(({ key }) => key).sort())
  assert.deepEqual([await of.itemsOf('intent/'), await of.itemsOf('retired/')], [0, 0])
}

suite('a pass that is not alone', () => {
  test('two at once: one of each two swaps counts, and whoever goes on comes to the end', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const of = await openWorld({ seed, shape: { batches: 80 } })
      const random = new SeededRandom(seed)
      of.world.store.before = async () => {
        for (let turns = random.below(4); turns > 0; turns--) await new Promise(setImmediate)
      }
      const io = await of.otherIo()
      for (let rounds = 0; ; rounds++) {
        const ends = await Promise.all([of.compact(), of.compact({ io })])
        await of.assertSound()
        if (ends.every(({ kind }) => kind === 'idle')) break
        assert.ok(ends.some(({ kind }) => kind !== 'beaten'), 'somebody gets on')
        assert.ok(rounds < 50)
      }
      of.world.store.before = () => {}
      await of.assertCompact()
      await assertTidy(of)
    }
  })

  test('a whole pass of somebody else in between: what was stored is given up', async () => {
    const of = await openWorld()
    const io = await of.otherIo()
    atPut(of, 1, () => of.compact({ io }))
    const end = await of.compact()
    assert.equal(end.kind, 'beaten')
    await of.assertCompact()
    await assertTidy(of)
    await of.assertCompact()
  })

  test('uploads go on beside it, and are neither lost nor covered', async () => {
    const of = await openWorld({ shape: { batches: 60 } })
    const more = of.end + 50
    atPut(of, 1, async () => {
      of.world.seal({ segments: 1 })
      await of.world.tieredTo(of.partition, more)
    })
    assert.equal((await of.compact()).kind, 'done')
    const rows = await of.rows()
    assert.equal(rows.at(-1)!.endOffset, more)
    assert.equal((await of.manifest().refresh())!.compaction!.cleanedEnd, of.end)
    assert.ok((await of.world.readAll(of.reader(), { offset: of.end, end: more })).equals(of.world.log.bytesOf(of.end)))
    await of.assertSoundBelow(of.end)
  })

  test('retention takes rows away beneath it: no row comes back, and no object that lives goes', async () => {
    for (const count of [1, 2]) {
      const of = await openWorld()
      const logStart = (await of.rows())[5]!.baseOffset
      atPut(of, count, async () => {
        await of.partition.advanceLogStart(logStart)
        await of.partition.tick(of.clock.now())
      })
      const end = await of.compact()
      assert.ok(end.kind === 'beaten' || end.kind === 'done')
      while ((await of.compact()).kind !== 'idle') { /* until nothing is left to do */ }
      await of.partition.tick(of.clock.now())
      const rows = await of.rows()
      assert.ok(rows.every(({ endOffset }) => endOffset > logStart))
      await assertTidy(of)
      const read = await of.world.readAll(of.reader(), { offset: logStart, end: of.end })
      assert.ok(read.length > 0)
    }
  })

  test('the next leader comes: no swap of the old one counts, and what it stored is swept', async () => {
    const of = await openWorld()
    const rows = await of.rows()
    atPut(of, 1, async () => {
      of.world.log.leaderEpoch++
      await of.partition.close()
      of.partition = await of.world.lead()
    })
    assert.equal((await of.compact()).kind, 'beaten')
    assert.deepEqual(await of.rows(), rows)
    await assertTidy(of)
    await of.assertSound()
    while ((await of.compact()).kind !== 'idle') { /* until nothing is left to do */ }
    await of.assertCompact()
  })

  test('the topic is deleted: nothing is swapped, and nothing of it stays in store or table', async () => {
    const of = await openWorld()
    const { topicId } = of.world.log
    atPut(of, 2, async () => {
      await of.world.tier.deleteTopic({ topicId, partitions: 4 })
      await of.world.tier.sweepDeletedTopics(of.clock.now())
    })
    assert.equal((await of.compact()).kind, 'beaten')
    of.clock.wall += 6000
    await of.world.tier.sweepDeletedTopics(of.clock.now())
    assert.deepEqual(await of.world.store.keys(), [])
    assert.equal(await of.itemsOf(''), 0)
    assert.deepEqual(await of.compact(), { kind: 'idle' })
  })

  test('whoever stops it gets it stopped, and it goes on where it was', async () => {
    const of = await openWorld()
    const stopping = new AbortController()
    atPut(of, 2, async () => stopping.abort())
    const end = await of.compact({ signal: stopping.signal })
    assert.equal(end.kind, 'stopped')
    const { passNext, passEnd } = (await of.manifest().refresh())!.compaction!
    assert.ok(passNext > of.start && passEnd === of.end)
    const next = await of.compact()
    assert.equal(next.kind === 'done' && next.why, 'resumed')
    assert.ok(next.kind === 'done' && next.rowsIn < 22, 'what was swapped is not done again')
    await of.assertCompact()
    await assertTidy(of)
  })
})
