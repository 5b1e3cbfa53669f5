import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { batch } from './batches.ts'
import { TierWorld } from './tier-world.ts'

const root = temporaryDirectory()
let worlds = 0

function open(): Promise<TierWorld> {
  const directory = join(root, String(worlds++))
  mkdirSync(directory)
  return TierWorld.open({ directory })
}

/** Segments of batches of timestamps, in a tier. */
async function tiered(segments: readonly (readonly (readonly number[])[])[]) {
  const world = await open()
  for (const batches of segments) {
    let offset = world.log.endOffset
    world.log.seal(batches.map((timestamps) => {
      const made = batch({ baseOffset: offset, timestamps })
      offset += timestamps.length
      return made
    }))
  }
  const partition = await world.lead()
  await world.tieredTo(partition, world.log.endOffset)
  return { world, partition }
}

suite('timestamps in the tier', () => {
  test('the first record in the order of offsets wins, though timestamps go back and forth', async () => {
    const { partition } = await tiered([[[10, 50], [20, 5]], [[30, 40], [45, 46]], [[70], [60]]])
    const cases: [timestamp: number, offset: number | undefined][] = [
      [0, 0], [10, 0], [11, 1], [50, 1], [51, 8], [60, 8], [70, 8], [71, undefined],
    ]
    for (const [timestamp, offset] of cases) {
      assert.equal((await partition.offsetForTimestamp(timestamp))?.offset, offset, `for ${timestamp}`)
    }
    assert.deepEqual(await partition.offsetForTimestamp(11), { offset: 1, timestamp: 50, leaderEpoch: 0 })
    assert.deepEqual(await partition.maxTimestamp(), { offset: 8, timestamp: 70, leaderEpoch: 0 })
  })

  test('nothing below the start of the log is found, nor at or above the end that is asked for', async () => {
    const { partition } = await tiered([[[90, 10]], [[80, 20]], [[30, 40]]])
    await partition.advanceLogStart(1)
    assert.equal((await partition.offsetForTimestamp(15))?.offset, 2)
    assert.equal((await partition.offsetForTimestamp(85))?.offset, undefined)
    assert.deepEqual(await partition.maxTimestamp(), { offset: 2, timestamp: 80, leaderEpoch: 0 })
    assert.equal(await partition.offsetForTimestamp(81, 5), undefined)
    assert.equal((await partition.offsetForTimestamp(30, 5))?.offset, 2)
    assert.deepEqual(await partition.maxTimestamp(2), { offset: 1, timestamp: 10, leaderEpoch: 0 })
    await partition.advanceLogStart(3)
    assert.equal((await partition.offsetForTimestamp(25))?.offset, 4)
    assert.deepEqual(await partition.maxTimestamp(), { offset: 5, timestamp: 40, leaderEpoch: 0 })
  })

  test('control records are not found, though their timestamps are the largest', async () => {
    const world = await open()
    world.log.seal([
      batch({ baseOffset: 0, timestamps: [10] }),
      batch({ baseOffset: 1, timestamps: [99], isControl: true }),
      batch({ baseOffset: 2, timestamps: [20] }),
    ])
    const partition = await world.lead()
    await world.tieredTo(partition, 3)
    assert.equal((await partition.offsetForTimestamp(15))?.offset, 2)
    assert.equal(await partition.offsetForTimestamp(30), undefined)
    assert.equal((await partition.maxTimestamp())?.timestamp, 20)
  })

  test('a batch whose records cannot be opened is found as a whole, and hides nothing that lies behind it', async () => {
    const world = await open()
    world.log.seal([
      batch({ baseOffset: 0, timestamps: [10, 11] }),
      batch({ baseOffset: 2, timestamps: [20, 21, 22], isUnreadable: true }),
      batch({ baseOffset: 5, timestamps: [30] }),
    ])
    const partition = await world.lead()
    await world.tieredTo(partition, 6)
    assert.deepEqual(await partition.offsetForTimestamp(21), { offset: 2, timestamp: 22, leaderEpoch: 0 })
    assert.equal((await partition.offsetForTimestamp(25))?.offset, 5)
    assert.deepEqual(await partition.maxTimestamp(5), { offset: 2, timestamp: 22, leaderEpoch: 0 })
    await partition.advanceLogStart(3)
    assert.equal((await partition.offsetForTimestamp(12))?.offset, 3)
  })

  test('while the store is away a search fails, and does not find nothing', async () => {
    const { world, partition } = await tiered([[[10, 20]]])
    world.store.before = () => {
      throw new Error('away')
    }
    await assert.rejects(partition.offsetForTimestamp(15), { code: 'away' })
    assert.equal(await partition.offsetForTimestamp(21), undefined, 'the rows alone say so')
  })

  test('it finds what a scan of all records finds', async () => {
    const some = { minLength: 1, maxLength: 4 }
    const timestamps = fc.array(fc.array(fc.array(fc.nat(40), some), some), { minLength: 1, maxLength: 6 })
    await fc.assert(fc.asyncProperty(timestamps, fc.nat(30), fc.nat(80), async (segments, start, end) => {
      const { world, partition } = await tiered(segments)
      const logStart = Math.min(start, world.log.endOffset - 1)
      await partition.advanceLogStart(logStart)
      const all = segments.flat(2).map((timestamp, offset) => ({ timestamp, offset }))
        .filter(({ offset }) => offset >= logStart && offset < end)
      for (const timestamp of [0, 5, 13, 27, 40, 41]) {
        const expected = all.find((one) => one.timestamp >= timestamp)
        assert.equal((await partition.offsetForTimestamp(timestamp, end))?.offset, expected?.offset, `for ${timestamp}`)
      }
      const most = Math.max(...all.map(({ timestamp }) => timestamp))
      assert.equal((await partition.maxTimestamp(end))?.offset, all.find(({ timestamp }) => timestamp === most)?.offset)
    }), { numRuns: 30 })
  })
})
