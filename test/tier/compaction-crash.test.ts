// Whoever compacts may die, or lose an answer, at each of its steps. Whatever it was, nothing is lost, the next one goes on, and
// once the sweep was there nothing is in the store that no row names.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { CompactionWorld } from './compaction-world.ts'
import { TroubledStore } from './troubled-store.ts'
import { TroubledTable } from './troubled-table.ts'

const root = temporaryDirectory()
let worlds = 0

interface Trouble {
  /** Which of the calls to table and store, counted from 0. */
  readonly at: number
  /** The call takes effect, and its answer is lost. */
  readonly isBehind: boolean
  /** Every call after it fails too: the process is dead. */
  readonly isLast: boolean
}

async function openWorld(seed: number) {
  const directory = join(root, String(worlds++))
  mkdirSync(directory)
  const table = new TroubledTable(new MemoryTable())
  const store = new TroubledStore()
  const of = await CompactionWorld.open({
    directory, table, store, seed, shape: { batches: 45, producers: 3, compressions: ['none'] }, batchesPerSegment: 5,
    limits: { deleteDelayMs: 5000 },
  })
  return { of, table, store }
}

/** Lets a pass run into the trouble. Returns how many calls it made. */
async function runInto({ of, table, store }: Awaited<ReturnType<typeof openWorld>>, trouble: Trouble): Promise<number> {
  let calls = 0
  let isDead = false
  const fails = (isBehind: boolean, away: () => never) => {
    if (isDead) away()
    if (trouble.isBehind !== isBehind || calls++ !== trouble.at) return
    isDead = trouble.isLast
    away()
  }
  table.before = () => fails(false, TroubledTable.away)
  table.behind = () => fails(true, TroubledTable.away)
  store.before = () => fails(false, TroubledStore.away)
  store.behind = () => fails(true, TroubledStore.away)
  await of.compact().catch(() => {})
  table.before = table.behind = store.before = store.behind = () => {}
  return calls
}

/** A new leader: it sweeps what the old one has left, first off the manifest and then off the store. */
async function sweep(of: CompactionWorld): Promise<void> {
  const { world, clock } = of
  await of.partition.close()
  world.log.leaderEpoch++
  of.partition = await world.lead()
  for (let turns = 0; turns < 3; turns++) {
    clock.wall += 6000
    await of.partition.tick(clock.now())
  }
}

async function assertTidy({ of, store }: Awaited<ReturnType<typeof openWorld>>): Promise<void> {
  const rows = await of.rows()
  assert.deepEqual((await store.keys()).sort(), rows.map(({ key }) => key).sort())
  assert.deepEqual([await of.itemsOf('intent/'), await of.itemsOf('retired/')], [0, 0])
}

suite('a compaction that breaks off', () => {
  for (const [name, isBehind, isLast] of [
    ['dies before a call', false, true], ['dies behind a call', true, true],
    ['is refused a call', false, false], ['loses an answer', true, false],
  ] as const) {
    test(`${name}: nothing is lost, and the next one comes to the end`, async () => {
      for (let at = 0; ; at++) {
        const world = await openWorld(at)
        const calls = await runInto(world, { at, isBehind, isLast })
        const { of } = world
        await of.assertSound()
        const end = await of.compact()
        assert.ok(end.kind === 'done' || end.kind === 'idle', `${end.kind} after trouble at ${at}`)
        await of.assertCompact()
        await sweep(of)
        await of.assertCompact(of.partition)
        await assertTidy(world)
        await of.partition.close()
        if (calls <= at) {
          assert.ok(at > 50, `a pass makes ${at} calls`)
          break
        }
      }
    })
  }
})
