import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { mkdirSync } from 'node:fs'
import { suite, test } from 'node:test'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { TierWorld, type WorldOptions } from './tier-world.ts'

suite('the tier of a partition', () => {
  const root = temporaryDirectory()
  let count = 0
  const open = (options: Partial<WorldOptions> = {}) => {
    const directory = join(root, String(count++))
    mkdirSync(directory)
    return TierWorld.open({ directory, ...options })
  }

  test('what was uploaded reads back byte for byte, across segments, with any size of fetch', async () => {
    const world = await open()
    world.seal({ segments: 4, batches: 30 })
    const partition = await world.lead()
    await world.tieredTo(partition, world.log.endOffset)
    for (const bytesMax of [1, 100, 700, 3000, 100_000]) {
      const read = await world.readAll(partition, { offset: 0, end: world.log.endOffset, bytesMax })
      assert.ok(read.equals(world.log.bytesOf(0)), `with ${bytesMax} bytes`)
    }
  })
})
