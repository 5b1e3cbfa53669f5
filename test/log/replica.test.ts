// What a replica does to its log when it enters an epoch: cut it back to where it agrees with the leader's, or begin anew.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogError } from '../../broker/log/log-error.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { aBatch } from '../support/a-batch.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { appendAll, directory, LogWorld, readAll, segmentPath } from './log-world.ts'

const batchBytes = aBatch({ records: 2, producerId: 5 }).length

/** Ten batches of two records, three to a segment; a new epoch every four batches. */
async function ten(seed = 1): Promise<{ world: LogWorld; log: PartitionLog }> {
  const world = new LogWorld({ seed }, { segmentBytes: 3 * batchBytes })
  const log = await world.open()
  for (let index = 0; index < 10; index++) {
    await appendAll(log, [aBatch({ records: 2, producerId: 5, baseSequence: 2 * index, fill: index })], 1 + Math.floor(index / 4))
  }
  return { world, log }
}

async function assertEndsAt(log: PartitionLog, batches: number): Promise<void> {
  assert.deepEqual([log.endOffset, log.durableEndOffset], [2 * batches, 2 * batches])
  assert.deepEqual((await readAll(log)).map(({ baseSequence }) => baseSequence), Array.from({ length: batches }, (_, index) => 2 * index))
  assert.deepEqual(log.epochs.starts, [{ epoch: 1, startOffset: 0 }, { epoch: 2, startOffset: 8 }, { epoch: 3, startOffset: 16 }].slice(0, Math.ceil(batches / 4)))
  assert.equal(log.producers.describe()[0]?.lastSequence, batches === 0 ? undefined : 2 * batches - 1)
}

for (let offset = 0; offset <= 21; offset++) {
  test(`cut at ${offset}, a log ends with the last batch that lies whole before it, and goes on from there`, async () => {
    const { world, log } = await ten()
    const batches = Math.min(Math.floor(offset / 2), 10)
    await log.truncateTo(offset)
    await assertEndsAt(log, batches)
    world.disk.crash()
    const again = await world.open()
    await assertEndsAt(again, batches)
    const wrong = await again.append(aBatch({ producerId: 5, records: 2, baseSequence: 2 * batches + 2 }), { leaderEpoch: 9 })
    assert.equal(wrong.errorCode, batches === 0 ? ErrorCode.NONE : ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    await appendAll(again, [aBatch({ producerId: 6 })], 9)
    assert.equal((await readAll(again)).at(-1)!.leaderEpoch, 9)
    await again.close()
    assert((await world.open()).wasClean)
  })
}

test('after a cut the same log goes on, with reads from memory and disk', async () => {
  const { log } = await ten()
  await log.truncateTo(9)
  await appendAll(log, [4, 5, 6, 7].map((index) => aBatch({ records: 2, producerId: 5, baseSequence: 2 * index, fill: 99 })), 4)
  const batches = await readAll(log)
  assert.deepEqual(batches.map(({ baseOffset }) => baseOffset), [0, 2, 4, 6, 8, 10, 12, 14])
  assert.deepEqual(batches.map(({ leaderEpoch }) => leaderEpoch), [1, 1, 1, 1, 4, 4, 4, 4])
  assert.deepEqual(log.epochs.starts, [{ epoch: 1, startOffset: 0 }, { epoch: 4, startOffset: 8 }])
  assert.deepEqual(log.sealedSegments().map(({ baseOffset }) => baseOffset), [0])
})

test('an epoch that began at the very end is forgotten although nothing is cut', async () => {
  const { log } = await ten()
  log.epochs.note(7, 20)
  await log.truncateTo(20)
  assert.equal(log.epochs.latest, 3)
})

test('a cut is not made below a log start that a deletion under way has yet to reach', async () => {
  const { log } = await ten()
  const deletion = log.advanceLogStart(12)
  await log.truncateTo(8)
  await deletion
  assert.deepEqual([log.logStartOffset, log.endOffset, log.durableEndOffset], [12, 12, 12])
})

test('what arrives during a cut is not led here', async () => {
  const { log } = await ten()
  const before = log.append(aBatch({ fill: 50 }), { leaderEpoch: 3 })
  const cut = log.truncateTo(8)
  const during = log.append(aBatch({ fill: 51 }), { leaderEpoch: 3 })
  assert.equal((await during).errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.equal((await before).errorCode, ErrorCode.NONE)
  await cut
  await assertEndsAt(log, 4)
  assert.equal((await log.append(aBatch(), { leaderEpoch: 4 })).baseOffset, 8)
})

test('a power loss during a cut leaves a log that is whole, and not shorter than the cut', async () => {
  for (let seed = 0; seed < 150; seed++) {
    const random = new SeededRandom(seed)
    const { world, log } = await ten(seed)
    const offset = random.between(0, 20)
    world.disk.powerLossAt = world.disk.operations + random.between(1, 40)
    const isDone = await log.truncateTo(offset).then(() => true, () => false)
    world.disk.crash()
    const again = await world.open()
    const batches = again.durableEndOffset / 2
    assert(batches >= Math.floor(offset / 2), `seed ${seed}`)
    if (isDone) assert.equal(batches, Math.floor(offset / 2), `seed ${seed}`)
    await assertEndsAt(again, batches)
    await again.truncateTo(offset)
    await assertEndsAt(again, Math.floor(offset / 2))
  }
})

const lineage = [{ epoch: 1, startOffset: 0 }, { epoch: 5, startOffset: 60 }]

/** The producers as of the end of a log's second segment, as a tier keeps them. */
async function aSnapshot(): Promise<Buffer> {
  const { log } = await ten()
  // Sealed segments are settled behind the appends.
  await new Promise((resolve) => setImmediate(resolve))
  return (await log.sealedSegments()[1]!.sections()).producers
}

test('a log begins anew at an offset with what was before it', async () => {
  const producers = await aSnapshot()
  for (const logStartOffset of [100, 40]) {
    for (const restart of ['none', 'crash', 'close'] as const) {
      const { world, log: first } = await ten()
      await first.startFresh(100, { epochs: lineage, producers, logStartOffset })
      if (restart === 'crash') world.disk.crash()
      if (restart === 'close') await first.close()
      const log = restart === 'none' ? first : await world.open()
      assert.deepEqual([log.logStartOffset, log.localStartOffset, log.durableEndOffset], [logStartOffset, 100, 100])
      assert.deepEqual(log.epochs.starts, lineage)
      assert.deepEqual(await readAll(log), [])
      const gap = await log.append(aBatch({ records: 2, producerId: 5, baseSequence: 14 }), { leaderEpoch: 6 })
      assert.equal(gap.errorCode, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
      const next = await log.append(aBatch({ records: 2, producerId: 5, baseSequence: 12 }), { leaderEpoch: 6 })
      assert.deepEqual([next.errorCode, next.baseOffset], [ErrorCode.NONE, 100])
      world.disk.crash()
      const again = await world.open()
      assert.deepEqual([again.logStartOffset, again.localStartOffset, again.durableEndOffset], [logStartOffset, 100, 102])
      assert.equal(again.producers.describe()[0]?.lastSequence, 13)
      assert.deepEqual(again.epochs.starts, [...lineage, { epoch: 6, startOffset: 100 }])
    }
  }
})

test('a power loss while a log begins anew leaves the old one or the new one', async () => {
  const producers = await aSnapshot()
  const seen = new Set<string>()
  for (let seed = 0; seed < 150; seed++) {
    const random = new SeededRandom(seed)
    const { world, log } = await ten(seed)
    world.disk.powerLossAt = world.disk.operations + random.between(1, 90)
    const isDone = await log.startFresh(100, { epochs: lineage, producers, logStartOffset: 40 }).then(() => true, () => false)
    world.disk.crash()
    const again = await world.open()
    if (again.durableEndOffset === 20) {
      assert(!isDone, `seed ${seed}`)
      seen.add('old')
      await assertEndsAt(again, 10)
    } else {
      seen.add('new')
      assert.deepEqual([again.logStartOffset, again.localStartOffset, again.durableEndOffset], [40, 100, 100], `seed ${seed}`)
      assert.deepEqual(again.epochs.starts, lineage)
      assert.equal(again.producers.describe()[0]?.lastSequence, 11)
      assert.deepEqual(world.names().filter((name) => name.endsWith('.log')), ['00000000000000000100.log'])
    }
  }
  assert.deepEqual([...seen].sort(), ['new', 'old'])
})

test('a log does not begin with producers that are damaged, and stays what it was', async () => {
  const { log } = await ten()
  const producers = await aSnapshot()
  producers[20]! ^= 1
  await assert.rejects(async () => log.startFresh(100, { epochs: lineage, producers, logStartOffset: 100 }),
    (error) => error instanceof LogError && error.code === 'damaged')
  await assertEndsAt(log, 10)
})

test('a cut that the disk does not carry out ends the log, for nobody knows how long it is', async () => {
  const { world, log } = await ten()
  world.disk.fault = ({ kind, path }) => (kind === 'remove' && path === segmentPath(12) ? 'EIO' : undefined)
  await assert.rejects(log.truncateTo(4))
  assert.equal((await log.append(aBatch(), { leaderEpoch: 9 })).errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  world.disk.fault = () => undefined
  const again = await world.open()
  await again.truncateTo(4)
  await assertEndsAt(again, 2)
})

/** Ten batches whose sealed segments are settled, on a disk that has no room for a file of that name. */
/** Until what was sealed is settled. */
async function rest(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
}

async function tenWithoutRoom(name: string, { kind = 'write', code = 'ENOSPC' } = {}): Promise<{ world: LogWorld; log: PartitionLog }> {
  const { world, log } = await ten()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(log.sealedSegments().length, 3)
  world.disk.fault = (operation) => (operation.kind === kind && operation.path.includes(name) ? code : undefined)
  return { world, log }
}

const beginning = { epochs: lineage, producers: undefined, logStartOffset: 40 }
const changes = {
  cut: (log: PartitionLog) => log.truncateTo(8),
  beginning: (log: PartitionLog) => log.startFresh(100, beginning),
}

test('a change for which there was no room leaves the log as it was, and it goes on', async () => {
  for (const change of Object.values(changes)) {
    for (const code of ['ENOSPC', 'EDQUOT', 'EMFILE']) {
      const { world, log } = await tenWithoutRoom('checkpoint', { code })
      await assert.rejects(change(log), new RegExp(code))
      assert(!log.isStopped)
      await assertEndsAt(log, 10)
      assert.deepEqual(log.sealedSegments().map(({ baseOffset }) => baseOffset), [0, 6, 12])
      world.disk.fault = () => undefined
      const taken = await log.replicate(aBatch({ records: 2, producerId: 5, baseSequence: 20, baseOffset: 20, leaderEpoch: 3 }))
      assert.deepEqual([taken.errorCode, log.durableEndOffset], [ErrorCode.NONE, 22])
      await change(log)
      assert.deepEqual(world.faults, [])
      world.disk.crash()
      assert([8, 100].includes((await world.open()).durableEndOffset))
    }
  }
})

test('a cut that finds nothing to cut needs no room for a checkpoint, and changes nothing', async () => {
  const { world, log } = await tenWithoutRoom('checkpoint')
  const epochs = log.epochs.starts
  await log.truncateTo(20)
  assert(!log.isStopped)
  await assertEndsAt(log, 10)
  assert.deepEqual(log.epochs.starts, epochs)
  const taken = await log.replicate(aBatch({ records: 2, producerId: 5, baseSequence: 20, baseOffset: 20, leaderEpoch: 3 }))
  assert.equal(taken.errorCode, ErrorCode.NONE)
  world.disk.crash()
  world.disk.fault = () => undefined
  assert.equal((await world.open()).durableEndOffset, 22)
})

test('an epoch at the very end that could not be forgotten for want of room is still known, and forgotten later', async () => {
  const { world, log } = await ten()
  log.epochs.note(7, 20)
  // The file knows it by what was sealed meanwhile.
  await log.roll()
  await rest()
  world.disk.fault = ({ kind, path }) => (kind === 'write' && path.includes('epochs') ? 'ENOSPC' : undefined)
  await assert.rejects(log.truncateTo(20), /ENOSPC/)
  assert(!log.isStopped)
  assert.equal(log.epochs.latest, 7)
  world.disk.fault = () => undefined
  await log.truncateTo(20)
  assert.equal(log.epochs.latest, 3)
})

test('an epoch that was begun and never written to is forgotten in memory alone, where the file knows nothing of it', async () => {
  const { world, log } = await ten()
  await rest()
  log.epochs.begin(7, 20)
  const written: string[] = []
  world.disk.fault = ({ kind, path }) => {
    if (kind !== 'read') written.push(`${kind} ${path}`)
    return undefined
  }
  await log.truncateTo(20)
  assert.deepEqual([log.epochs.latest, written], [3, []])
})

test('a change whose note may not outlive a crash ends the log, and so does want of room once segments are gone', async () => {
  for (const change of Object.values(changes)) {
    for (const [name, kind] of [['checkpoint', 'sync'], [directory, 'sync directory'], ['epochs', 'write']] as const) {
      const { log } = await tenWithoutRoom(name, { kind })
      await assert.rejects(change(log), /ENOSPC/)
      assert(log.isStopped, `${change.name} ${kind}`)
    }
  }
})

/** A log with 4 records, whose next segment could not be made when it was to be sealed. */
async function withFailedRoll(step: 'open' | 'truncate', config: { readonly isTiered?: boolean } = {}): Promise<{ world: LogWorld; log: PartitionLog }> {
  const world = new LogWorld({}, { segmentBytes: 3 * batchBytes, ...config })
  const log = await world.open()
  await appendAll(log, [0, 2].map((baseSequence) => aBatch({ records: 2, producerId: 5, baseSequence })), 1)
  world.disk.fault = ({ kind, path }) => (kind === step && path === segmentPath(4) ? 'EMFILE' : undefined)
  await log.roll()
  assert.equal(world.faults.length, 1)
  world.disk.fault = () => undefined
  return { world, log }
}

/** Takes in five batches from an offset on, and holds that they lie in segments of their own, each of which can go. */
async function assertGoesOn(world: LogWorld, log: PartitionLog, start: number): Promise<void> {
  for (let index = 0; index < 5; index++) {
    const { errorCode } = await log.replicate(aBatch({ records: 2, producerId: 5, baseOffset: start + 2 * index, leaderEpoch: 1 }))
    assert.equal(errorCode, ErrorCode.NONE)
  }
  await new Promise((resolve) => setImmediate(resolve))
  const offsets = world.names().filter((name) => name.endsWith('.log')).map(Number.parseFloat)
  assert.equal(log.segmentCount, offsets.length, 'no two share a file')
  await log.evictBelow(start)
  assert((await readAll(log)).length >= 5)
  world.disk.crash()
  const again = await world.open()
  assert.equal(again.durableEndOffset, start + 10)
  assert.deepEqual((await readAll(again, start)).map(({ baseOffset }) => baseOffset), [0, 2, 4, 6, 8].map((offset) => start + offset))
}

test('a log that begins anew after a segment could not be made does not make its first one twice', async () => {
  for (const step of ['open', 'truncate'] as const) {
    const { world, log } = await withFailedRoll(step, { isTiered: true })
    await log.startFresh(100, { epochs: [{ epoch: 1, startOffset: 0 }], producers: undefined, logStartOffset: 0 })
    await assertGoesOn(world, log, 100)
  }
})

test('a log that is cut after a segment could not be made goes on in the segment that the cut has left', async () => {
  for (const step of ['open', 'truncate'] as const) {
    for (const offset of [0, 2, 4]) {
      const { world, log } = await withFailedRoll(step)
      await log.truncateTo(offset)
      await assertGoesOn(world, log, offset)
    }
  }
})

test('a new replica of a compacted log begins where the log does, and not at the first batch that is left', async () => {
  const world = new LogWorld()
  const log = await world.open()
  const batch = new RecordBatch(aBatch({ records: 2, producerId: 5 }))
  batch.stamp(12, 1)
  // It is told once that there are gaps, and asks again when that is durable.
  for (let tries = 0; log.endOffset === 0; tries++) {
    assert(tries < 5, 'what the leader has is not taken')
    await log.replicate(batch.bytes)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await assertBeginsAtZero(log)
  await log.close()
  await assertBeginsAtZero(await world.open())
})

async function assertBeginsAtZero(log: PartitionLog): Promise<void> {
  assert.deepEqual([log.logStartOffset, log.localStartOffset, log.endOffset], [0, 0, 14])
  assert.deepEqual((await readAll(log)).map(({ baseOffset }) => baseOffset), [12])
}
