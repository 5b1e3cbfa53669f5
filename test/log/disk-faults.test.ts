import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { aBatch } from '../support/a-batch.ts'
import { appendAll, directory, LogWorld, readAll, segmentPath } from './log-world.ts'

const { NONE, KAFKA_STORAGE_ERROR } = ErrorCode

/** Ticks until nothing is left to be done. */
async function rest(log: { tick(now: { isClockTrusted: boolean }): Promise<void> }): Promise<void> {
  for (let looks = 0; looks < 3; looks++) {
    await log.tick({ isClockTrusted: true })
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a full disk refuses what does not fit, keeps what was there, and takes appends again when there is room', async () => {
  for (let room = 0; room < 700; room += 50) {
    const world = new LogWorld({ seed: room })
    const log = await world.open()
    await appendAll(log, [aBatch({ fill: 1, producerId: 3 }), aBatch({ fill: 2, producerId: 3, baseSequence: 1 })])
    const before = world.disk.files().get(segmentPath(0))!
    world.disk.bytesMax = world.disk.usedBytes + room
    const codes = await Promise.all([2, 3, 4].map((baseSequence) =>
      log.append(aBatch({ fill: 3, valueBytes: 300, producerId: 3, baseSequence }), { leaderEpoch: 0 })))
    // All go in one write, or the first one alone: no answer lies about what is there.
    const taken = codes.filter(({ errorCode }) => errorCode === NONE).length
    assert(codes.every(({ errorCode }) => errorCode === NONE || errorCode === KAFKA_STORAGE_ERROR))
    assert.equal(log.durableEndOffset, 2 + taken)
    assert.equal(log.endOffset, log.durableEndOffset)
    assert.deepEqual(world.disk.files().get(segmentPath(0))!.subarray(0, before.length), before)
    assert.deepEqual(world.faults.map(({ effect }) => effect), taken === 3 ? [] : ['appends failed'])
    world.disk.bytesMax = Infinity
    const again = await Promise.all([2, 3, 4].map((baseSequence) =>
      log.append(aBatch({ fill: 3, valueBytes: 300, producerId: 3, baseSequence }), { leaderEpoch: 0 })))
    assert.deepEqual(again.map(({ errorCode, baseOffset }) => [errorCode, baseOffset]), [[NONE, 2], [NONE, 3], [NONE, 4]])
    world.disk.crash()
    const recovered = await world.open()
    assert.equal(recovered.tornBytes, 0)
    assert.deepEqual((await readAll(recovered)).map(({ baseOffset }) => baseOffset), [0, 1, 2, 3, 4])
  }
})

test('what is admitted while a failed write is undone fails with it', async () => {
  const world = new LogWorld()
  const log = await world.open()
  await appendAll(log, [aBatch()])
  const late: Promise<{ readonly errorCode: ErrorCode }>[] = []
  let writes = 0
  world.disk.fault = ({ kind, path }) => {
    if (kind === 'truncate' && path === segmentPath(0)) late.push(log.append(aBatch({ fill: 9 }), { leaderEpoch: 0 }))
    return kind === 'write' && path === segmentPath(0) && writes++ === 0 ? 'EIO' : undefined
  }
  assert.equal((await log.append(aBatch(), { leaderEpoch: 0 })).errorCode, KAFKA_STORAGE_ERROR)
  assert.equal(late.length, 1)
  assert.equal((await late[0]!).errorCode, KAFKA_STORAGE_ERROR)
  await appendAll(log, [aBatch({ fill: 7 })])
  assert.deepEqual((await readAll(log)).map(({ baseOffset, payload }) => [baseOffset, payload.at(-2)]), [[0, 7], [1, 7]])
})

test('a sync that fails ends the log for good: what waited is refused, and syncing again would mean nothing', async () => {
  const world = new LogWorld()
  const log = await world.open()
  await appendAll(log, [aBatch()])
  let syncs = 0
  world.disk.fault = ({ kind, path }) => {
    if (kind !== 'sync' || path !== segmentPath(0)) return undefined
    syncs++
    return 'EIO'
  }
  const first = log.append(aBatch(), { leaderEpoch: 0 })
  await new Promise((resolve) => queueMicrotask(() => resolve(undefined)))
  const second = log.append(aBatch(), { leaderEpoch: 0 })
  assert.deepEqual((await Promise.all([first, second])).map(({ errorCode }) => errorCode), [KAFKA_STORAGE_ERROR, KAFKA_STORAGE_ERROR])
  assert.equal((await log.append(aBatch(), { leaderEpoch: 0 })).errorCode, KAFKA_STORAGE_ERROR)
  assert.equal(syncs, 1)
  assert.equal(world.faults.filter(({ effect }) => effect === 'stopped').length, 1)
  assert.equal(log.durableEndOffset, 1)
  assert.equal((await readAll(log)).length, 1, 'what was there can still be read')
  await log.close()
  world.disk.fault = () => undefined
  const again = await world.open()
  assert(!again.wasClean)
  assert(again.durableEndOffset >= 1)
})

test('a sealed segment whose sync fails ends the log, and whoever waits is answered', async () => {
  const world = new LogWorld({}, { segmentBytes: 1 })
  world.isSynced = false
  const log = await world.open()
  await appendAll(log, [aBatch()])
  world.disk.fault = ({ kind, path }) => (kind === 'sync' && path === segmentPath(0) ? 'EIO' : undefined)
  const answers = await Promise.all(Array.from({ length: 20 }, () => log.append(aBatch(), { leaderEpoch: 0 })))
  assert(answers.some(({ errorCode }) => errorCode === KAFKA_STORAGE_ERROR))
  assert.equal((await log.append(aBatch(), { leaderEpoch: 0 })).errorCode, KAFKA_STORAGE_ERROR)
  assert(world.faults.some(({ effect }) => effect === 'stopped'))
})

test('a directory that cannot be synced ends the log: a new segment might not be there after a crash', async () => {
  const world = new LogWorld({}, { segmentBytes: 1 })
  const log = await world.open()
  await appendAll(log, [aBatch()])
  await rest(log)
  world.disk.fault = ({ kind }) => (kind === 'sync directory' ? 'EIO' : undefined)
  assert.equal((await log.append(aBatch(), { leaderEpoch: 0 })).errorCode, KAFKA_STORAGE_ERROR)
  assert.equal((await log.append(aBatch(), { leaderEpoch: 0 })).errorCode, KAFKA_STORAGE_ERROR)
  assert(world.faults.some(({ effect }) => effect === 'stopped'))
  world.disk.fault = () => undefined
  world.disk.crash()
  assert.equal((await world.open()).durableEndOffset, 1)
})

test('a segment that cannot be made does not let smaller batches slip behind it', async () => {
  for (const step of ['open', 'truncate'] as const) {
    const world = new LogWorld({}, { segmentBytes: 1_000 })
    const log = await world.open()
    await appendAll(log, [aBatch({ valueBytes: 500 })])
    let isFull = true
    world.disk.fault = ({ kind, path }) => (isFull && kind === step && path === segmentPath(1) ? 'ENOSPC' : undefined)
    assert.equal((await log.append(aBatch({ valueBytes: 900 }), { leaderEpoch: 0 })).errorCode, KAFKA_STORAGE_ERROR)
    isFull = false
    // It would fit into the segment that is there.
    await appendAll(log, [aBatch({ valueBytes: 100 }), aBatch({ valueBytes: 900 })])
    world.disk.crash()
    const again = await world.open()
    assert.deepEqual((await readAll(again)).map(({ baseOffset }) => baseOffset), [0, 1, 2])
  }
})

test('too many open files fail an append and nothing else', async () => {
  const world = new LogWorld({}, { segmentBytes: 1 })
  const log = await world.open()
  await appendAll(log, [aBatch()])
  let opens = 0
  // The first time it is made, the second time it is opened to be written.
  world.disk.fault = ({ kind, path }) => (kind === 'open' && path === segmentPath(1) && ++opens === 2 ? 'EMFILE' : undefined)
  assert.equal((await log.append(aBatch(), { leaderEpoch: 0 })).errorCode, KAFKA_STORAGE_ERROR)
  await appendAll(log, [aBatch(), aBatch()])
  assert.equal((await readAll(log)).length, 3)
  assert(!world.faults.some(({ effect }) => effect === 'stopped'))
})

test('a segment that could not be settled on a full disk is settled when there is room', async () => {
  const world = new LogWorld({}, { segmentBytes: 1 })
  const log = await world.open()
  await appendAll(log, [aBatch()])
  world.disk.fault = ({ kind, path }) => (kind === 'write' && path.includes('.index') ? 'ENOSPC' : undefined)
  await appendAll(log, [aBatch(), aBatch()])
  await rest(log)
  assert.deepEqual(log.sealedSegments(), [])
  world.disk.fault = () => undefined
  await rest(log)
  assert.deepEqual(log.sealedSegments().map(({ baseOffset, endOffset }) => [baseOffset, endOffset]), [[0, 1], [1, 2]])
})

test('on a full disk old segments can still be deleted: their indexes make room for the note that they go', async () => {
  const world = new LogWorld({}, { segmentBytes: 1 })
  const log = await world.open()
  await appendAll(log, [aBatch(), aBatch(), aBatch(), aBatch()])
  await rest(log)
  world.disk.bytesMax = world.disk.usedBytes
  await log.advanceLogStart(2)
  assert.equal(log.logStartOffset, 2)
  assert(world.disk.usedBytes < world.disk.bytesMax)
  world.disk.crash()
  const again = await world.open()
  assert.deepEqual([again.logStartOffset, again.localStartOffset], [2, 2])
})

test('a log start that cannot be taken down does not move', async () => {
  const world = new LogWorld({}, { segmentBytes: 1 })
  const log = await world.open()
  await appendAll(log, [aBatch(), aBatch(), aBatch()])
  await rest(log)
  world.disk.fault = ({ kind, path }) => (kind === 'write' && path.includes('checkpoint') ? 'EIO' : undefined)
  await assert.rejects(log.advanceLogStart(2))
  assert.deepEqual([log.logStartOffset, log.localStartOffset], [0, 0])
  assert.equal((await readAll(log)).length, 3)
})

test('a segment that cannot be removed is tried again, and leaves no gap', async () => {
  const world = new LogWorld({}, { segmentBytes: 1 })
  const log = await world.open()
  await appendAll(log, [aBatch(), aBatch(), aBatch(), aBatch()])
  await rest(log)
  world.disk.fault = ({ kind, path }) => (kind === 'remove' && path === segmentPath(1) ? 'EIO' : undefined)
  await assert.rejects(log.evictBelow(3))
  assert.deepEqual(world.names().filter((name) => name.endsWith('.log')).map(Number.parseFloat), [1, 2, 3])
  world.disk.fault = () => undefined
  await log.evictBelow(3)
  assert.deepEqual(world.names().filter((name) => name.endsWith('.log')).map(Number.parseFloat), [3])
})

test('a disk that cannot be read opens nothing and changes nothing', async () => {
  const world = new LogWorld()
  const log = await world.open()
  await appendAll(log, [aBatch(), aBatch()])
  world.disk.killProcess()
  const before = world.disk.files()
  for (const path of [segmentPath(0), `${directory}/checkpoint.json`, `${directory}/epochs.json`, `${directory}/partition.json`]) {
    world.disk.fault = (operation) => (operation.kind === 'read' && operation.path === path ? 'EIO' : undefined)
    await assert.rejects(world.open(), /EIO/)
    assert.deepEqual(world.disk.files(), before)
  }
})

test('an append while the log closes is refused, not forgotten', async () => {
  const world = new LogWorld()
  const log = await world.open()
  const before = log.append(aBatch(), { leaderEpoch: 0 })
  const closed = log.close()
  const after = log.append(aBatch(), { leaderEpoch: 0 })
  assert.equal((await before).errorCode, NONE)
  assert.equal((await after).errorCode, KAFKA_STORAGE_ERROR)
  await closed
  const again = await world.open()
  assert(again.wasClean)
  assert.equal(again.durableEndOffset, 1)
})

test('a partition\'s directory that was made by somebody who did not live to sync it outlives a power loss', async () => {
  const world = new LogWorld()
  let isFirst = true
  world.disk.fault = ({ kind, path }) => (kind === 'sync directory' && path === '/data' && isFirst ? 'EIO' : undefined)
  await assert.rejects(world.open(), /EIO/)
  isFirst = false
  for (let attempt = 0; attempt < 10; attempt++) {
    const log = await world.open()
    await appendAll(log, [aBatch()])
    world.disk.crash()
  }
  assert.equal((await world.open()).durableEndOffset, 10)
})
