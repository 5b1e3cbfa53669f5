import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CompactionError } from '../../broker/compaction/compaction-io.ts'
import { HotBudget } from '../../broker/log/hot-ring.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { batchesIn } from '../../broker/protocol/record-batch.ts'
import { LogWorld } from '../log/log-world.ts'
import { aBatch, aMarker, aMoment } from '../support/a-batch.ts'
import { batchesOf, compact, cleanable, put, recordsIn, settled, tableOf, type Update } from './local-world.ts'

const dayMs = 86_400_000

function compacting(config: Partial<LogWorld['config']> = {}): LogWorld {
  return new LogWorld({}, { segmentBytes: 2_000, isCompacted: true, isDeleted: false, deleteRetentionMs: dayMs, ...config })
}

/** Updates of a few keys, over several segments, of which the last one is open. */
async function fill(log: PartitionLog, { batches = 60, keys = 10, from = 0 } = {}): Promise<Update[]> {
  const all: Update[] = []
  for (let index = 0; index < batches; index++) {
    const updates: Update[] = [0, 1, 2].map((part) => [`key-${(index * 3 + part) % keys}`, `value ${from + index} ${'x'.repeat(60)}`])
    all.push(...updates)
    await put(log, updates)
  }
  return all
}

describe('a log that was compacted', () => {
  test('has the newest value of each key, at the offset where it was', async () => {
    const world = compacting()
    const log = await world.openCold()
    const updates = await fill(log)
    const before = await recordsIn(log)
    await settled(log)
    const sealedEnd = cleanable(world, log).segments.at(-1)!.endOffset
    const [bytes, segments] = [log.bytes, log.segmentCount]
    const done = await compact(world, log)
    assert.equal(done.indexed.endOffset, sealedEnd)
    const after = await recordsIn(log)
    assert.deepEqual(tableOf(after), tableOf(updates.map(([key, value]) => ({ key, value }))))
    const newest = new Map(before.filter(({ offset }) => offset < sealedEnd).map((record) => [record.key, record]))
    assert.deepEqual(after.filter(({ offset }) => offset < sealedEnd), [...newest.values()].sort((one, other) => one.offset - other.offset))
    assert.deepEqual(after.filter(({ offset }) => offset >= sealedEnd), before.filter(({ offset }) => offset >= sealedEnd))
    assert.ok(log.bytes < bytes / 3)
    assert.ok(log.segmentCount < segments / 3, 'what has become small is one file')
    assert.equal(log.compaction.cleanedOffset, sealedEnd)
    assert.equal(cleanable(world, log).dirty.length, 0)
    await log.close()
  })

  test('is what it was after a start, after a crash, and where everything is read again', async () => {
    for (const end of ['in order', 'a crash', 'without its checkpoints'] as const) {
      const world = compacting()
      const log = await world.openCold()
      await fill(log)
      await compact(world, log)
      const before = (await batchesOf(log)).map(({ bytes }) => bytes.toString('latin1'))
      const cleanedOffset = log.compaction.cleanedOffset
      if (end === 'in order') await log.close()
      else world.disk.crash()
      if (end === 'without its checkpoints') {
        for (const name of world.names()) if (/index|producers|epochs/.test(name)) world.disk.edit(`${segmentDirectory}/${name}`, () => Buffer.alloc(0))
      }
      const again = await world.openCold()
      assert.deepEqual((await batchesOf(again)).map(({ bytes }) => bytes.toString('latin1')), before)
      assert.equal(again.compaction.cleanedOffset, cleanedOffset)
      assert.equal(again.tornBytes, 0)
      await fill(again, { from: 1000 })
      await compact(world, again)
      assert.equal(tableOf(await recordsIn(again)).size, 10)
      await again.close()
    }
  })

  test('loses deleted keys behind delete.retention.ms, and not before', async () => {
    const world = compacting()
    const log = await world.openCold()
    await fill(log)
    await put(log, [['key-3', null]])
    await fill(log, { batches: 1, keys: 3 })
    await log.roll()
    await compact(world, log)
    const isThere = async () => (await recordsIn(log)).filter(({ key }) => key === 'key-3').map(({ value }) => value)
    assert.deepEqual(await isThere(), [null])
    await world.clock.advance(dayMs - 1)
    await compact(world, log)
    assert.deepEqual(await isThere(), [null])
    await world.clock.advance(1)
    await compact(world, log)
    assert.deepEqual(await isThere(), [])
    assert.equal(tableOf(await recordsIn(log)).size, 9)
    await log.close()
  })

  test('is read from within a gap, and by time', async () => {
    const world = compacting()
    const log = await world.openCold()
    for (let index = 0; index < 50; index++) await put(log, [[`key-${index % 5}`, `${index} ${'x'.repeat(80)}`]], aMoment + index * 1000)
    await compact(world, log)
    const kept = await recordsIn(log)
    for (let offset = 0; offset < log.durableEndOffset; offset++) {
      const { buffers, release } = await log.read({ offset, endOffset: log.durableEndOffset, bytesMax: 1, minOneBatch: true })
      assert.equal([...batchesIn(buffers[0]!)][0]!.baseOffset, kept.find((record) => record.offset >= offset)!.offset)
      release()
    }
    for (let index = 0; index < 50; index++) {
      const found = await log.offsetForTimestamp(aMoment + index * 1000)
      assert.equal(found!.offset, kept.find(({ offset }) => offset >= index)!.offset)
    }
    assert.deepEqual(await log.maxTimestamp(log.durableEndOffset), { offset: 49, timestamp: aMoment + 49_000 })
    await log.close()
  })

  test('is cut back within a gap, and goes on from there', async () => {
    const world = compacting()
    const log = await world.openCold()
    for (const early of ['a', 'b', 'c']) {
      await put(log, [[early, 'x'], [`${early}${early}`, 'x']])
      await fill(log)
    }
    await compact(world, log)
    const kept = await recordsIn(log)
    const gap = kept.findIndex((record, index) => index > 2 && record.offset - kept[index - 1]!.offset > 6)
    const offset = kept[gap]!.offset - 3
    await log.truncateTo(offset)
    assert.deepEqual((await recordsIn(log)).map((record) => record.offset), kept.slice(0, gap).map((record) => record.offset))
    assert.ok(log.endOffset <= offset)
    assert.ok(log.compaction.cleanedOffset <= offset)
    await put(log, [['key-1', 'after']])
    world.disk.crash()
    const again = await world.openCold()
    assert.equal(tableOf(await recordsIn(again)).get('key-1'), 'after')
    await again.close()
  })

  test('is deleted by time too, where that is asked for', async () => {
    const world = compacting({ isDeleted: true, retentionMs: 3_600_000 })
    const log = await world.openCold()
    for (let index = 0; index < 60; index++) await put(log, [[`key-${index % 3}`, 'x'.repeat(90)]], aMoment - 7_200_000 + index * 60_000 * 2)
    await settled(log)
    await log.tick({ isClockTrusted: true })
    assert.ok(log.logStartOffset > 0)
    assert.equal(tableOf(await recordsIn(log)).size, 3)
    await compact(world, log)
    assert.equal(tableOf(await recordsIn(log)).size, 3)
    await log.close()
  })
})

const segmentDirectory = '/data/tPcZrYzKQ0GQp6W1vHnK2A-0'

describe('a pass', () => {
  test('whose map is full goes on where it stopped', async () => {
    const world = compacting()
    const log = await world.openCold()
    const updates: Update[] = Array.from({ length: 2500 }, (_, index) => [`key-${index % 1200}`, `value ${index}`])
    for (let start = 0; start < updates.length; start += 50) await put(log, updates.slice(start, start + 50))
    await settled(log)
    const sealedEnd = cleanable(world, log).segments.at(-1)!.endOffset
    let passes = 0
    for (let before = -1; log.compaction.cleanedOffset > before; passes++) {
      before = log.compaction.cleanedOffset
      await compact(world, log, { mapBytesMax: 40_000 })
      assert.deepEqual(tableOf(await recordsIn(log)), tableOf(updates.map(([key, value]) => ({ key, value }))))
    }
    assert.ok(passes > 2)
    assert.equal(log.compaction.cleanedOffset, sealedEnd)
    const sealed = (await recordsIn(log)).filter(({ offset }) => offset < sealedEnd)
    assert.equal(new Set(sealed.map(({ key }) => key)).size, sealed.length)
    await log.close()
  })

  test('says so where not even one batch fits into its map', async () => {
    const world = compacting()
    const log = await world.openCold()
    await put(log, Array.from({ length: 1500 }, (_, index) => [`key-${index}`, 'x']))
    await fill(log)
    await assert.rejects(compact(world, log, { mapBytesMax: 40_000 }), /do not fit into log.cleaner.dedupe.buffer.size/)
    await log.close()
  })

  test('leaves readers what they had begun to read', async () => {
    const world = compacting()
    const log = await world.openCold()
    await fill(log)
    const before = await batchesOf(log)
    const reads = before.slice(0, 40).map(({ baseOffset: offset }) =>
      log.read({ offset, endOffset: log.durableEndOffset, bytesMax: 1, minOneBatch: true }))
    const passing = compact(world, log)
    for (let round = 0; round < 20; round++) {
      for (const { baseOffset: offset } of before.slice(0, 40)) {
        reads.push(log.read({ offset, endOffset: log.durableEndOffset, bytesMax: 1, minOneBatch: true }))
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    await passing
    for (const [index, read] of reads.entries()) {
      const { buffers, release } = await read
      const [batch] = [...batchesIn(buffers[0]!)]
      assert.ok(batch!.isIntact() && batch!.endOffset > before[index % 40]!.baseOffset)
      release()
    }
    await log.close()
  })

  test('that meets rot changes nothing', async () => {
    const world = compacting()
    const log = await world.openCold()
    await fill(log)
    const { segment } = cleanable(world, log).segments[1]!
    world.disk.edit(segment.path, (bytes) => {
      const rotten = Buffer.from(bytes)
      rotten[300]! ^= 1
      return rotten
    })
    const names = world.names().filter((name) => name.endsWith('.log'))
    await assert.rejects(compact(world, log), (cause) => cause instanceof CompactionError && cause.code === 'damaged')
    assert.ok(world.names().filter((name) => name.endsWith('.log')).length >= names.length - 1)
    assert.equal(log.compaction.cleanedOffset, 0)
    await log.close()
  })

  test('that is not wanted any more ends before it changes the log', async () => {
    const world = compacting()
    const log = await world.openCold()
    await fill(log)
    const before = (await batchesOf(log)).length
    let asked = 0
    await assert.rejects(compact(world, log, { isWanted: () => asked++ === 0 }), (cause) => cause instanceof CompactionError && cause.code === 'ended')
    assert.equal((await batchesOf(log)).length, before)
    await compact(world, log)
    await log.close()
  })

  test('does not touch a log that was cut back meanwhile', async () => {
    const world = compacting()
    const log = await world.openCold()
    await fill(log)
    let cutting: Promise<void> | undefined
    await assert.rejects(compact(world, log, {
      isWanted: () => {
        cutting ??= log.truncateTo(30)
        return true
      },
    }))
    await cutting
    assert.equal(log.endOffset, 30)
    assert.equal((await recordsIn(log)).length, 30)
    await compact(world, log)
    await log.close()
  })

  test('takes records of aborted transactions, and shows nobody what is left of them in memory', async () => {
    const world = compacting()
    world.hot = new HotBudget(1 << 20)
    const log = await world.open()
    const of = (producerId: number, baseSequence: number) =>
      aBatch({ records: 2, hasKeys: true, valueBytes: 300, producerId, baseSequence, isTransactional: true })
    const replicate = async (bytes: Buffer, offset: number) => {
      const batch = [...batchesIn(bytes)][0]!
      batch.stamp(offset, 1)
      assert.equal((await log.replicate(bytes)).errorCode, ErrorCode.NONE)
    }
    await replicate(of(7, 0), 0)
    await replicate(of(8, 0), 2)
    await replicate(aMarker({ producerId: 7, isCommit: false }), 4)
    await replicate(aMarker({ producerId: 8, isCommit: true }), 5)
    await replicate(of(7, 2), 6)
    await replicate(aMarker({ producerId: 7, isCommit: true }), 8)
    await log.roll()
    const all = await log.aborted({ start: 0, end: 9 })
    assert.deepEqual(all.map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset]), [[0, 4]])
    await compact(world, log)
    assert.deepEqual((await recordsIn(log)).map(({ offset }) => offset), [6, 7])
    assert.equal((await log.aborted({ start: 0, end: 9 })).length, 1, 'as long as its records were there when the pass began')
    await compact(world, log)
    await compact(world, log)
    assert.deepEqual(await log.aborted({ start: 0, end: 9 }), [])
    await world.clock.advance(dayMs)
    await compact(world, log)
    assert.deepEqual((await batchesOf(log)).map(({ baseOffset, isControl }) => [baseOffset, isControl]), [[2, false], [5, true], [6, false], [8, true]])
    world.disk.crash()
    const again = await world.open()
    assert.equal(again.lastStableOffset(9), 9)
    await again.close()
  })
})

test('a log of which everything is read again waits for no marker that compaction has taken', async () => {
  const world = compacting()
  const log = await world.openCold()
  const replicate = async (bytes: Buffer, offset: number) => {
    const [batch] = [...batchesIn(bytes)]
    batch!.stamp(offset, 1)
    assert.equal((await log.replicate(bytes)).errorCode, ErrorCode.NONE)
  }
  await replicate(aBatch({ records: 2, hasKeys: true, producerId: 7, isTransactional: true }), 0)
  await log.roll()
  await replicate(aMarker({ producerId: 7, isCommit: true }), 2)
  await fill(log)
  await settled(log)
  await log.advanceLogStart(2)
  for (let pass = 0; pass < 3; pass++) {
    await compact(world, log)
    await world.clock.advance(dayMs)
  }
  assert.ok((await batchesOf(log)).every(({ isControl }) => !isControl))
  const before = await recordsIn(log)
  world.disk.crash()
  await world.disk.mount().remove(`${segmentDirectory}/checkpoint.json`)
  const again = await world.openCold()
  assert.deepEqual(await recordsIn(again), before)
  assert.equal(again.lastStableOffset(again.endOffset), again.endOffset)
  await again.close()
})

describe('a follower of a log that was compacted', () => {
  test('takes it over gaps, after it has met the first one twice, and can be opened again', async () => {
    const leading = compacting()
    const leader = await leading.openCold()
    for (let index = 0; index < 3; index++) {
      await put(leader, [[`early-${index}`, 'x'.repeat(300)]])
      await fill(leader, { batches: 30 })
    }
    await compact(leading, leader)
    const batches = await batchesOf(leader)
    const following = compacting()
    const log = await following.openCold()
    const answers: ErrorCode[] = []
    const copy = async () => {
      for (const { bytes, endOffset } of batches) {
        if (endOffset <= log.endOffset) continue
        const { errorCode } = await log.replicate(Buffer.from(bytes))
        answers.push(errorCode)
        if (errorCode !== ErrorCode.NONE) return
      }
    }
    for (let tries = 0; tries < 4 && log.endOffset < leader.endOffset; tries++) {
      await copy()
      await log.compaction.prepare()
    }
    assert.deepEqual(answers.filter((code) => code !== ErrorCode.NONE), [ErrorCode.OFFSET_OUT_OF_RANGE, ErrorCode.OFFSET_OUT_OF_RANGE])
    assert.equal(log.endOffset, leader.endOffset)
    following.disk.crash()
    const again = await following.openCold()
    assert.deepEqual(await recordsIn(again), await recordsIn(leader))
    await compact(following, again)
    assert.deepEqual(tableOf(await recordsIn(again)), tableOf(await recordsIn(leader)))
    await again.close()
  })

  test('does not believe another gap each time', async () => {
    const log = await compacting().openCold()
    for (const offset of [5, 7, 5, 9, 5]) {
      const bytes = aBatch({ hasKeys: true, baseOffset: offset, leaderEpoch: 1 })
      assert.equal((await log.replicate(bytes)).errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
      await log.compaction.prepare()
    }
    await log.close()
  })
})
