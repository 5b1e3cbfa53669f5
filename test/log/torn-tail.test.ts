// What a crash leaves at the end of a log is cut off, and nothing else is.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogError } from '../../broker/log/log-error.ts'
import { aBatch, type BatchShape } from '../support/a-batch.ts'
import { appendAll, directory, LogWorld, readAll, segmentPath } from './log-world.ts'

const shapes: readonly (readonly [what: string, shape: BatchShape])[] = [
  ['a small batch', { valueBytes: 10 }],
  ['many records', { records: 50, valueBytes: 60, compression: 'gzip' }],
  ['an idempotent batch', { records: 3, valueBytes: 700, producerId: 9, baseSequence: 4 }],
  ['a batch of several sectors', { records: 2, valueBytes: 3_000, compression: 'snappy' }],
]

/** A place in every field of the header, and a few in the records. */
function cuts(length: number): number[] {
  const header = [0, 1, 8, 11, 12, 16, 17, 21, 23, 27, 35, 43, 51, 53, 57, 60, 61]
  return [...header, 62, 61 + Math.floor((length - 61) / 2), length - 1]
}

const damages: readonly (readonly [what: string, damage: (whole: Buffer, cut: number) => Buffer])[] = [
  ['cut short', (whole, cut) => whole.subarray(0, cut)],
  ['garbage', (whole, cut) => Buffer.concat([whole.subarray(0, cut), Buffer.from(whole.subarray(cut).map((byte, index) => (byte + 1 + index * 7) & 0xff))])],
  ['zeros', (whole, cut) => Buffer.concat([whole.subarray(0, cut), Buffer.alloc(whole.length - cut)])],
  ['zeros for long', (whole, cut) => Buffer.concat([whole.subarray(0, cut), Buffer.alloc(9_000)])],
]

/** A log with three good batches, whose process was killed; and where the last one of those begins. */
async function killed(): Promise<{ world: LogWorld; bytes: Buffer }> {
  const world = new LogWorld()
  const log = await world.open()
  await appendAll(log, [aBatch({ fill: 1 }), aBatch({ fill: 2, producerId: 9, records: 4 }), aBatch({ fill: 3, records: 2 })])
  world.disk.killProcess()
  return { world, bytes: world.disk.files().get(segmentPath(0))! }
}

for (const [shapeName, shape] of shapes) {
  for (const [damageName, damage] of damages) {
    test(`${shapeName} as the torn last one: ${damageName}, in every field`, async () => {
      const last = aBatch({ ...shape, fill: 4, baseOffset: 7, leaderEpoch: 0 })
      for (const cut of cuts(last.length)) {
        const { world, bytes } = await killed()
        const torn = damage(last, cut)
        if (torn.subarray(0, last.length).equals(last)) continue
        world.disk.edit(segmentPath(0), (content) => Buffer.concat([content, torn]))
        const log = await world.open()
        assert.equal(log.durableEndOffset, 7, `cut at ${cut}`)
        assert.equal(log.tornBytes, torn.length)
        assert.deepEqual(world.disk.files().get(segmentPath(0)), bytes)
        assert.deepEqual((await readAll(log)).map(({ baseOffset }) => baseOffset), [0, 1, 5])
        assert.equal(log.producers.describe()[0]?.lastSequence, 3)
        world.disk.killProcess()
        assert.equal((await world.open()).tornBytes, 0, 'a second recovery finds nothing to do')
      }
    })
  }
}

test('the last batch that is whole stays, although nobody was told of it', async () => {
  const { world } = await killed()
  world.disk.edit(segmentPath(0), (content) => Buffer.concat([content, aBatch({ baseOffset: 7, leaderEpoch: 0 })]))
  assert.equal((await world.open()).durableEndOffset, 8)
})

test('batches of one write whose sectors came out of order are cut off together, wherever they lie in their sectors', async () => {
  for (let shift = 0; shift < 512; shift += 13) {
    const { world, bytes } = await killed()
    const written = [7, 8, 9, 10, 11, 12].map((baseOffset) => aBatch({ valueBytes: 150 + shift, fill: 5, baseOffset, leaderEpoch: 0 }))
    world.disk.edit(segmentPath(0), (content) => {
      const all = Buffer.concat([content, ...written])
      // The sector in which the first of them begins was not written again.
      return all.fill(0, content.length, Math.ceil(content.length / 512) * 512)
    })
    const log = await world.open()
    assert.equal(log.durableEndOffset, 7, `shift ${shift}`)
    assert.deepEqual(world.disk.files().get(segmentPath(0)), bytes)
  }
})

/** Opens, and expects that to be refused with every file as it was. */
async function assertQuarantined(world: LogWorld, problem: RegExp): Promise<void> {
  const before = world.disk.files()
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(world.open(), (error) => error instanceof LogError && error.code === 'quarantined' && problem.test(error.message))
    assert.deepEqual(world.disk.files(), before, 'something was changed')
  }
}

test('damage before whole batches is no torn tail: every bit of a batch but the last', async () => {
  const length = aBatch({ fill: 1 }).length
  for (let bit = 0; bit < length * 8; bit += 5) {
    const { world } = await killed()
    world.disk.flipBit(segmentPath(0), bit)
    await assertQuarantined(world, /damaged at byte/)
  }
})

test('damage below the durable offset is no torn tail, even at the very end', async () => {
  for (const change of [(content: Buffer) => content.subarray(0, content.length - 1), (content: Buffer) => content.fill(0, content.length - 10)]) {
    const { world } = await killed()
    const log = await world.open()
    // The start has taken down that everything is durable.
    assert.equal(log.durableEndOffset, 7)
    world.disk.killProcess()
    world.disk.edit(segmentPath(0), change)
    await assertQuarantined(world, /damaged/)
  }
})

test('a log that ends whole, and before what was durable, is not taken for a short one', async () => {
  const { world } = await killed()
  await (await world.open()).tick({ isClockTrusted: true })
  world.disk.killProcess()
  world.disk.edit(segmentPath(0), (content) => content.subarray(0, aBatch({ fill: 1 }).length))
  await assertQuarantined(world, /durable|damaged/)
})

test('a segment that is gone is missed: the last, one between, and all of them', async () => {
  for (const gone of [[3], [2], [0, 1, 2, 3]]) {
    const world = new LogWorld({}, { segmentBytes: 1 })
    const log = await world.open()
    await appendAll(log, [aBatch(), aBatch(), aBatch(), aBatch()])
    await log.close()
    for (const baseOffset of gone) world.disk.edit(segmentPath(baseOffset), () => undefined)
    await assertQuarantined(world, /durable|damaged|follows/)
  }
})

test('damage in a sealed segment that has to be read is refused', async () => {
  const world = new LogWorld({}, { segmentBytes: 600 })
  const log = await world.open()
  await appendAll(log, Array.from({ length: 9 }, (_, fill) => aBatch({ fill })))
  await log.close()
  // Without epochs and producers everything is read again.
  world.disk.edit(`${directory}/epochs.json`, () => undefined)
  world.disk.flipBit(segmentPath(0), 3_000)
  await assertQuarantined(world, /00000000000000000000.log is damaged/)
})

test('a damaged checkpoint is not an empty one', async () => {
  const { world } = await killed()
  world.disk.flipBit(`${directory}/checkpoint.json`, 100)
  await assertQuarantined(world, /checkpoint.json is damaged/)
  // What an operator does who accepts what a scan finds.
  world.disk.edit(`${directory}/checkpoint.json`, () => undefined)
  assert.equal((await world.open()).durableEndOffset, 7)
})

test('an operator who accepts the loss cuts the segment himself, and takes the checkpoint away', async () => {
  const { world } = await killed()
  world.disk.flipBit(segmentPath(0), 8 * 200)
  await assertQuarantined(world, /damaged at byte/)
  const good = aBatch({ fill: 1 }).length
  world.disk.edit(segmentPath(0), (content) => content.subarray(0, good))
  world.disk.edit(`${directory}/checkpoint.json`, () => undefined)
  const log = await world.open()
  assert.equal(log.durableEndOffset, 1)
  await appendAll(log, [aBatch()])
})

test('a directory of another topic or partition is never read', async () => {
  const { world } = await killed()
  const before = world.disk.files()
  for (const other of [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }, { partition: 1 }]) {
    await assert.rejects(world.open(other), (error) => error instanceof LogError && error.code === 'quarantined' && /belongs to/.test(error.message))
  }
  assert.deepEqual(world.disk.files(), before)
  world.disk.flipBit(`${directory}/partition.json`, 100)
  await assertQuarantined(world, /partition.json is damaged/)
  world.disk.edit(`${directory}/partition.json`, () => undefined)
  await assertQuarantined(world, /partition.json is missing/)
})
