import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { CompactionWorld, type CompactionWorldOptions, settings } from './compaction-world.ts'

const root = temporaryDirectory()
let worlds = 0

export function openWorld(options: Partial<CompactionWorldOptions> = {}): Promise<CompactionWorld> {
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
})
