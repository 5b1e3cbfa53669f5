import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeChecked } from '../../broker/log/checked-file.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { ProducerState } from '../../broker/log/producer-state.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { aBatch, aMoment } from '../support/a-batch.ts'
import { appendAll, directory, LogWorld, readAll, segmentPath } from './log-world.ts'

const batchBytes = aBatch({ producerId: 5 }).length

/** Idempotent batches, three to a segment, from a sequence on. */
async function send(log: PartitionLog, { first, count, leaderEpoch = 0 }: { first: number; count: number; leaderEpoch?: number }): Promise<void> {
  const batches = Array.from({ length: count }, (_, index) => aBatch({ producerId: 5, baseSequence: first + index, fill: (first + index) % 256 }))
  await appendAll(log, batches, leaderEpoch)
}

async function sevenBatches(): Promise<LogWorld> {
  const world = new LogWorld({}, { segmentBytes: 3 * batchBytes })
  const log = await world.open()
  await send(log, { first: 0, count: 4, leaderEpoch: 2 })
  await send(log, { first: 4, count: 3, leaderEpoch: 3 })
  await log.close()
  return world
}

async function assertSeven(log: PartitionLog): Promise<void> {
  assert.equal(log.durableEndOffset, 7)
  assert.deepEqual((await readAll(log)).map(({ baseSequence }) => baseSequence), [0, 1, 2, 3, 4, 5, 6])
  assert.deepEqual(log.epochs.starts, [{ epoch: 2, startOffset: 0 }, { epoch: 3, startOffset: 4 }])
  assert.deepEqual(log.producers.describe().map(({ producerId, lastSequence }) => [producerId, lastSequence]), [[5, 6]])
  const gap = await log.append(aBatch({ producerId: 5, baseSequence: 8 }), { leaderEpoch: 3 })
  assert.equal(gap.errorCode, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  assert.equal((await log.append(aBatch({ producerId: 5, baseSequence: 3 }), { leaderEpoch: 3 })).baseOffset, 3, 'a duplicate')
  await send(log, { first: 7, count: 1, leaderEpoch: 3 })
  assert.equal(log.durableEndOffset, 8)
}

test('after an orderly end no batch is read, and everything is known', async () => {
  const world = await sevenBatches()
  const read: string[] = []
  world.disk.fault = ({ kind, path }) => {
    if (kind === 'read') read.push(path)
    return undefined
  }
  const opened = world.disk.operations
  const log = await world.open()
  assert(log.wasClean)
  assert(world.disk.operations - opened < 60)
  // A size is a read too: of each segment one.
  for (const baseOffset of [0, 3, 6]) assert.equal(read.filter((path) => path === segmentPath(baseOffset)).length, 1)
  await assertSeven(log)
})

test('an orderly end is believed once', async () => {
  const world = await sevenBatches()
  await world.open()
  world.disk.killProcess()
  const log = await world.open()
  assert(!log.wasClean)
  await assertSeven(log)
})

test('after a kill everything that was written is there', async () => {
  const world = await sevenBatches()
  const log = await world.open()
  await send(log, { first: 7, count: 5, leaderEpoch: 3 })
  world.disk.killProcess()
  const again = await world.open()
  assert.equal(again.durableEndOffset, 12)
  assert.equal(again.producers.describe()[0]?.lastSequence, 11)
})

const losses: readonly (readonly [what: string, lose: (world: LogWorld) => void])[] = [
  ['all indexes', (world) => each(world, '.index', () => undefined)],
  ['damaged indexes', (world) => each(world, '.index', (content) => content.fill(0x20, 20, 30))],
  ['all producers', (world) => each(world, '.producers', () => undefined)],
  ['damaged producers', (world) => each(world, '.producers', (content) => content.fill(0x20, 20, 30))],
  ['the newest producers', (world) => world.disk.edit(segmentPath(7, 'producers'), () => undefined)],
  ['the epochs', (world) => world.disk.edit(`${directory}/epochs.json`, () => undefined)],
  ['damaged epochs', (world) => world.disk.flipBit(`${directory}/epochs.json`, 120)],
  ['the checkpoint', (world) => world.disk.edit(`${directory}/checkpoint.json`, () => undefined)],
  ['everything but the batches', (world) => {
    for (const kind of ['.index', '.producers']) each(world, kind, () => undefined)
    for (const name of ['epochs', 'checkpoint']) world.disk.edit(`${directory}/${name}.json`, () => undefined)
  }],
]

function each(world: LogWorld, kind: string, change: (content: Buffer) => Buffer | undefined): void {
  for (const path of world.disk.files().keys()) if (path.endsWith(kind)) world.disk.edit(path, change)
}

for (const [what, lose] of losses) {
  for (const isKilled of [false, true]) {
    test(`without ${what} it is made anew of the batches, after ${isKilled ? 'a kill' : 'an orderly end'}`, async () => {
      const world = await sevenBatches()
      if (isKilled) {
        await world.open()
        world.disk.killProcess()
      }
      lose(world)
      const log = await world.open()
      await assertSeven(log)
      await log.close()
      assert((await world.open()).wasClean)
    })
  }
}

test('a snapshot of producers lies at the base of every segment, and nowhere else once the log is in use', async () => {
  const world = await sevenBatches()
  each(world, '.producers', () => undefined)
  const log = await world.open()
  assert.deepEqual(world.names().filter((name) => name.endsWith('.producers')), [segmentPath(3, 'producers'), segmentPath(6, 'producers')].map((path) => path.slice(directory.length + 1)))
  await log.close()
  await world.open()
  assert.equal(world.names().filter((name) => name.endsWith('.producers')).length, 2)
})

test('producers that are missing at a seal are made anew for what leaves the disk', async () => {
  const world = await sevenBatches()
  const log = await world.open()
  const [first, second] = log.sealedSegments()
  const expected = [(await first!.sections()).producers, (await second!.sections()).producers].map(sequences)
  each(world, '.producers', () => undefined)
  const rebuilt = [(await first!.sections()).producers, (await second!.sections()).producers].map(sequences)
  assert.deepEqual(rebuilt, expected)
  assert.deepEqual(rebuilt, [[[5, 0, 2]], [[5, 0, 5]]])
})

/** Of a snapshot: id, epoch and last sequence of each producer. */
function sequences(section: Buffer): unknown[] {
  const snapshot = JSON.parse(section.subarray(9).toString()) as [number, number, number, number, number, number, number[][]][]
  return snapshot.map(([id, epoch, , , , , batches]) => [id, epoch, batches.at(-1)![1]])
}

test('the log start outlives restarts, and never moves back', async () => {
  const world = await sevenBatches()
  const log = await world.open()
  await log.advanceLogStart(4)
  assert.deepEqual([log.logStartOffset, log.localStartOffset], [4, 3])
  await log.advanceLogStart(2)
  assert.equal(log.logStartOffset, 4)
  world.disk.crash()
  const again = await world.open()
  assert.deepEqual([again.logStartOffset, again.localStartOffset, again.durableEndOffset], [4, 3, 7])
  assert(!world.names().some((name) => name.startsWith('00000000000000000000')))
  await again.advanceLogStart(7)
  await again.close()
  const empty = await world.open()
  assert.deepEqual([empty.logStartOffset, empty.durableEndOffset], [7, 7])
  await send(empty, { first: 7, count: 1, leaderEpoch: 3 })
})

test('what was evicted is not deleted: the log start stays', async () => {
  const world = await sevenBatches()
  const log = await world.open()
  await log.evictBelow(6)
  await log.close()
  const again = await world.open()
  assert.deepEqual([again.logStartOffset, again.localStartOffset], [0, 6])
  assert.deepEqual(again.epochs.starts, [{ epoch: 2, startOffset: 0 }, { epoch: 3, startOffset: 4 }], 'the lineage goes back to the log start')
  assert.equal(again.producers.describe()[0]?.lastSequence, 6)
})

test('which transactions were aborted is known after any restart', async () => {
  const { aMarker } = await import('../support/a-batch.ts')
  for (const lost of ['nothing', '.index', '.producers', 'checkpoint.json']) {
    const world = new LogWorld({}, { segmentBytes: 1 << 20 })
    const log = await world.open()
    const transactional = { producerId: 6, isTransactional: true }
    await appendAll(log, [aBatch(), aBatch(transactional)])
    await log.roll()
    await appendAll(log, [aBatch({ ...transactional, baseSequence: 1 })])
    await log.close()
    // Markers come from coordinators; what clients send is refused. Written as a leader would.
    world.disk.edit(segmentPath(2), (content) => Buffer.concat([content, aMarker({ producerId: 6, isCommit: false, baseOffset: 3, leaderEpoch: 0 })]))
    const expected = [{ producerId: 6, firstOffset: 1, lastOffset: 3, lastStableOffset: 4 }]
    const marked = await world.open()
    assert.deepEqual(await marked.aborted({ start: 0, end: 4 }), expected)
    await marked.roll()
    await appendAll(marked, [aBatch()])
    await marked.close()
    each(world, lost, () => undefined)
    const again = await world.open()
    assert.deepEqual(await again.aborted({ start: 0, end: 5 }), expected, `without ${lost}`)
    assert.deepEqual(await again.aborted({ start: 4, end: 5 }), [])
    assert.equal(again.lastStableOffset(5), 5)
    for (let looks = 0; looks < 3; looks++) await again.tick({ isClockTrusted: true })
    each(world, '.index', () => undefined)
    assert.deepEqual(await again.aborted({ start: 1, end: 2 }), expected, 'whatever becomes of the index meanwhile')
  }
})

test('an idle producer is forgotten by a tick, and one that was active before the restart is not', async () => {
  const world = await sevenBatches()
  world.config = { ...world.config, producerExpiryMs: 1000 }
  const log = await world.open()
  await world.clock.advance(1000)
  await log.tick({ isClockTrusted: true })
  assert.equal(log.producers.count, 1)
  await world.clock.advance(1)
  await log.tick({ isClockTrusted: true })
  assert.equal(log.producers.count, 0)
  assert.equal(world.clock.now(), aMoment + 1001)
  assert.equal((await log.append(aBatch({ producerId: 5, baseSequence: 99 }), { leaderEpoch: 3 })).errorCode, ErrorCode.NONE)
})

test('a log that was destroyed has left nothing', async () => {
  const world = await sevenBatches()
  const log = await world.open()
  await log.destroy()
  assert.deepEqual(world.names(), [])
  assert.equal((await log.append(aBatch(), { leaderEpoch: 0 })).errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  assert.equal((await world.open()).durableEndOffset, 0)
})

test('the producers of a sealed segment are as of its end, whatever they send while that is written', async () => {
  const world = new LogWorld()
  const log = await world.open()
  const ids = Array.from({ length: 700 }, (_, index) => index)
  await appendAll(log, ids.map((producerId) => aBatch({ producerId })))
  await log.roll()
  await appendAll(log, ids.map((producerId) => aBatch({ producerId, baseSequence: 1 })))
  for (let turns = 0; turns < 100 && log.sealedSegments().length === 0; turns++) await new Promise((resolve) => setImmediate(resolve))
  const { producers } = await log.sealedSegments()[0]!.sections()
  const sealed = ProducerState.restore(decodeChecked<ReturnType<ProducerState['snapshot']>>(producers)!.value)
  assert.deepEqual(sealed.describe().map(({ producerId, lastSequence }) => [producerId, lastSequence]), ids.map((id) => [id, 0]))
  world.disk.crash()
  const again = await world.open()
  assert.deepEqual(again.producers.describe().map(({ lastSequence }) => lastSequence), ids.map(() => 1))
})
