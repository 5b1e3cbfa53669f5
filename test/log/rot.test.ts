// Files of which a bit has changed, or everything: opened or refused, and never believed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HotBudget } from '../../broker/log/hot-ring.ts'
import { LogError } from '../../broker/log/log-error.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { aBatch } from '../support/a-batch.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { appendAll, LogWorld, readAll } from './log-world.ts'

const batchBytes = aBatch({ producerId: 5 }).length

/** Three sealed segments and an open one, settled, with a producer, two epochs and a log start. */
async function someLog(random: SeededRandom): Promise<{ world: LogWorld; expected: string[] }> {
  const world = new LogWorld({ seed: 1 }, { segmentBytes: 3 * batchBytes })
  world.hot = new HotBudget(0)
  const log = await world.open()
  for (let index = 0; index < 12; index++) {
    await appendAll(log, [aBatch({ producerId: 5, baseSequence: index, fill: 1 + index })], 1 + Math.floor(index / 6))
  }
  await new Promise((resolve) => setImmediate(resolve))
  await log.advanceLogStart(1)
  const expected = (await readAll(log)).map(({ bytes }) => bytes.toString('latin1'))
  if (random.chance(0.5)) await log.close()
  world.disk.killProcess()
  return { world, expected }
}

async function openOrRefuse(world: LogWorld, seed: number): Promise<PartitionLog | undefined> {
  const before = world.disk.files()
  try {
    return await world.open()
  } catch (cause) {
    assert(cause instanceof LogError && cause.code === 'quarantined', `seed ${seed}: ${(cause as Error).stack}`)
    assert.deepEqual(world.disk.files(), before, `seed ${seed}: something was changed`)
    return undefined
  }
}

test('a bit that has changed anywhere is noticed, or shows in nothing but its own batch', async () => {
  const outcomes = { opened: 0, refused: 0 }
  for (let seed = 0; seed < 250; seed++) {
    const random = new SeededRandom(seed)
    const { world, expected } = await someLog(random)
    const [path, content] = random.pick([...world.disk.files()])
    world.disk.flipBit(path, random.below(content.length * 8))
    const log = await openOrRefuse(world, seed)
    outcomes[log === undefined ? 'refused' : 'opened']++
    if (log === undefined) continue
    assert.deepEqual([log.logStartOffset, log.localStartOffset], [1, 0], `seed ${seed}`)
    // The last batch may be cut where nothing says that it was durable: here everything was.
    assert.equal(log.durableEndOffset, 12, `seed ${seed}: ${path}`)
    assert.equal(log.producers.describe()[0]?.lastSequence, 11)
    assert.deepEqual(log.epochs.starts, [{ epoch: 1, startOffset: 0 }, { epoch: 2, startOffset: 6 }])
    if (path.endsWith('.log')) continue
    assert.deepEqual((await readAll(log)).map(({ bytes }) => bytes.toString('latin1')), expected, `seed ${seed}: ${path}`)
  }
  assert(outcomes.opened > 60 && outcomes.refused > 12, JSON.stringify(outcomes))
})

test('whatever a file holds, a log opens or refuses, and does not fail in another way', async () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = new SeededRandom(seed)
    const { world } = await someLog(random)
    for (let count = random.between(1, 3); count > 0; count--) {
      const path = random.pick([...world.disk.files().keys()])
      world.disk.edit(path, (content) => random.pick([
        () => undefined,
        () => Buffer.alloc(0),
        () => random.bytes(random.below(2_000)),
        () => content.subarray(0, random.below(content.length + 1)),
        () => Buffer.concat([content, random.bytes(random.between(1, 700))]),
        () => Buffer.concat([content.subarray(0, random.below(content.length + 1)), aBatch({ baseOffset: random.below(2 ** 40) }), content]),
        () => Buffer.alloc(random.below(3_000), 0xff),
        () => Buffer.alloc(random.below(3_000)),
      ])())
    }
    const log = await openOrRefuse(world, seed)
    if (log === undefined) continue
    await readAll(log).catch((cause: unknown) => assert(cause instanceof LogError || /nothing at offset/.test(String(cause)), String(cause)))
    await appendAll(log, [aBatch()], 9)
  }
})
