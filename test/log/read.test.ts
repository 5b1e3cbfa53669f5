import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HotBudget } from '../../broker/log/hot-ring.ts'
import { LogError } from '../../broker/log/log-error.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { batchesIn, type RecordBatch } from '../../broker/protocol/record-batch.ts'
import { aBatch, aMoment } from '../support/a-batch.ts'
import { appendAll, LogWorld, readAll, segmentPath } from './log-world.ts'

/** A log with nothing in memory, of batches with so many records and bytes. */
async function coldLog(batches: readonly (readonly [records: number, valueBytes: number])[], config = {}): Promise<{ world: LogWorld; log: PartitionLog }> {
  const world = new LogWorld({}, config)
  world.hot = new HotBudget(0)
  const log = await world.open()
  for (const [index, [records, valueBytes]] of batches.entries()) await appendAll(log, [aBatch({ records, valueBytes, fill: index % 256 })])
  return { world, log }
}

async function offsets(log: PartitionLog, range: { offset: number; endOffset?: number; bytesMax?: number; minOneBatch?: boolean }): Promise<number[]> {
  const read = await log.read({ endOffset: log.durableEndOffset, bytesMax: 1 << 20, minOneBatch: true, ...range })
  const found = read.buffers.flatMap((buffer) => [...batchesIn(buffer)].map(({ baseOffset }) => baseOffset))
  read.release()
  return found
}

const ten = Array.from({ length: 10 }, () => [3, 100] as const)
const batchBytes = aBatch({ records: 3, valueBytes: 100 }).length

test('a read begins with the batch that holds the offset', async () => {
  const { log } = await coldLog(ten)
  assert.deepEqual(await offsets(log, { offset: 0 }), [0, 3, 6, 9, 12, 15, 18, 21, 24, 27])
  assert.deepEqual(await offsets(log, { offset: 13 }), [12, 15, 18, 21, 24, 27])
  assert.deepEqual(await offsets(log, { offset: 29 }), [27])
})

test('a read ends before what does not fit, and one batch may be larger', async () => {
  const { log } = await coldLog(ten)
  assert.deepEqual(await offsets(log, { offset: 0, bytesMax: 3 * batchBytes }), [0, 3, 6])
  assert.deepEqual(await offsets(log, { offset: 0, bytesMax: 3 * batchBytes - 1 }), [0, 3])
  assert.deepEqual(await offsets(log, { offset: 4, bytesMax: 1 }), [3])
  assert.deepEqual(await offsets(log, { offset: 4, bytesMax: 1, minOneBatch: false }), [])
})

test('no batch is returned that has records at or behind the end of the range', async () => {
  const { log } = await coldLog(ten)
  assert.deepEqual(await offsets(log, { offset: 0, endOffset: 6 }), [0, 3])
  assert.deepEqual(await offsets(log, { offset: 0, endOffset: 7 }), [0, 3])
  assert.deepEqual(await offsets(log, { offset: 0, endOffset: 2 }), [])
  assert.deepEqual(await offsets(log, { offset: 30 }), [])
  assert.deepEqual(await offsets(log, { offset: 99 }), [])
})

test('the same holds for what is in memory', async () => {
  const world = new LogWorld()
  const log = await world.open()
  await appendAll(log, ten.map(([records, valueBytes]) => aBatch({ records, valueBytes })))
  assert(!(log.read({ offset: 0, endOffset: 30, bytesMax: 1, minOneBatch: true }) instanceof Promise))
  assert.deepEqual(await offsets(log, { offset: 13 }), [12, 15, 18, 21, 24, 27])
  assert.deepEqual(await offsets(log, { offset: 0, bytesMax: 3 * batchBytes - 1 }), [0, 3])
  assert.deepEqual(await offsets(log, { offset: 0, endOffset: 7 }), [0, 3])
  assert.deepEqual(await offsets(log, { offset: 30 }), [])
})

test('a batch that is larger than what is read at once is read whole', async () => {
  const { log } = await coldLog([[1, 100], [1, 300_000], [1, 100]])
  assert.deepEqual(await offsets(log, { offset: 1, bytesMax: 10 }), [1])
  assert.deepEqual(await offsets(log, { offset: 2, bytesMax: 10 }), [2])
})

test('a batch that fits is found behind others that do not', async () => {
  // One index entry for all of them: the interval is larger than what a read takes in addition.
  const { log } = await coldLog([[1, 10], [1, 200_000], [1, 100_000], [1, 10]], { indexIntervalBytes: 1 << 20 })
  assert.deepEqual(await offsets(log, { offset: 3, bytesMax: 200, minOneBatch: false }), [3])
  assert.deepEqual(await offsets(log, { offset: 2, bytesMax: 200, minOneBatch: false }), [])
  assert.deepEqual(await offsets(log, { offset: 2, bytesMax: 200, minOneBatch: true }), [2])
})

test('a read stays within one segment, and the next one goes on in the next', async () => {
  const { log } = await coldLog(ten, { segmentBytes: 3 * batchBytes })
  assert.equal(log.segmentCount, 4)
  assert.deepEqual(await offsets(log, { offset: 0 }), [0, 3, 6])
  assert.deepEqual(await offsets(log, { offset: 9 }), [9, 12, 15])
  assert.equal((await readAll(log)).length, 10)
})

test('whatever was appended is read back from anywhere', async () => {
  const shape = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(1, 100, 2_000, 40_000))
  await fc.assert(fc.asyncProperty(
    fc.array(shape, { minLength: 1, maxLength: 30 }), fc.constantFrom(5_000, 60_000, 1 << 20), fc.constantFrom(1, 20_000, 200_000), fc.boolean(),
    async (batches, segmentBytes, indexIntervalBytes, isRestarted) => {
      const { world, log: first } = await coldLog(batches, { segmentBytes, indexIntervalBytes })
      if (isRestarted) await first.close()
      const log = isRestarted ? await world.open() : first
      const all = await readAll(log)
      assert.deepEqual(all.map(({ recordCount }) => recordCount), batches.map(([records]) => records))
      for (let offset = 0; offset < log.durableEndOffset; offset++) {
        const holder = (batch: RecordBatch) => batch.baseOffset <= offset && offset < batch.endOffset
        assert.deepEqual(await offsets(log, { offset, bytesMax: 1 }), all.filter(holder).map(({ baseOffset }) => baseOffset))
        const { length } = all.find(holder)!
        assert.equal((await offsets(log, { offset, bytesMax: length, minOneBatch: false })).length, 1)
        assert.equal((await offsets(log, { offset, bytesMax: length - 1, minOneBatch: false })).length, 0)
      }
    },
  ), { numRuns: 40 })
})

test('a length that has rotted under a running log ends a read with an error, not with silence or for ever', async () => {
  for (const bit of [0, 4, 30]) {
    const { world, log } = await coldLog(ten)
    // The length lies in the bytes 8 to 11, the most significant one first.
    world.disk.flipBit(segmentPath(0), (3 * batchBytes + 8 + (bit >>> 3)) * 8 + (bit & 7))
    await assert.rejects(async () => log.read({ offset: 12, endOffset: 30, bytesMax: 1 << 20, minOneBatch: true }),
      (error) => error instanceof LogError && error.code === 'damaged', `bit ${bit}`)
  }
})

test('a file that became shorter under a running log never gives memory of something else', async () => {
  const { world, log } = await coldLog(ten)
  world.disk.file(segmentPath(0), 'truncate').truncate(4 * batchBytes + 7)
  await assert.rejects(async () => log.read({ offset: 15, endOffset: 30, bytesMax: 1 << 20, minOneBatch: true }))
})

test('a read that meets an eviction finds nothing, and says so by the local start', async () => {
  const { world, log } = await coldLog(ten, { segmentBytes: 3 * batchBytes })
  const [found] = await Promise.all([offsets(log, { offset: 0 }), log.evictBelow(9)])
  assert([0, 3].includes(found.length))
  assert.deepEqual(await offsets(log, { offset: 0 }), [])
  assert.equal(log.localStartOffset, 9)
  assert.equal(log.logStartOffset, 0)
  assert.deepEqual(await offsets(log, { offset: 2 }), [])
  assert(!world.names().includes('00000000000000000000.log'))
})

const timestamps = [[100, 50, 300], [20, 20, 20], [400, 10, 400], [250, 250, 250]].map((times) => times.map((time) => aMoment - 1000 + time))

for (const segmentBytes of [1, 1 << 20]) {
  test(`the first record at or behind a timestamp has the lowest offset, with segments of ${segmentBytes} bytes`, async () => {
    const world = new LogWorld({}, { segmentBytes })
    const log = await world.open()
    await appendAll(log, timestamps.map((times) => aBatch({ timestamps: times })))
    const flat = timestamps.flat()
    for (const wanted of [0, 10, 20, 51, 100, 101, 250, 301, 399, 400].map((time) => aMoment - 1000 + time)) {
      const offset = flat.findIndex((time) => time >= wanted)
      assert.deepEqual(await log.offsetForTimestamp(wanted), { offset, timestamp: flat[offset] }, `timestamp ${wanted}`)
    }
    assert.equal(await log.offsetForTimestamp(aMoment - 599), undefined)
    assert.deepEqual(await log.maxTimestamp(Infinity), { offset: 6, timestamp: aMoment - 600 })
  })
}

test('records before the log start are not found by their timestamp', async () => {
  const world = new LogWorld()
  const log = await world.open()
  await appendAll(log, timestamps.map((times) => aBatch({ timestamps: times })))
  await log.advanceLogStart(1)
  assert.deepEqual(await log.offsetForTimestamp(0), { offset: 1, timestamp: timestamps[0]![1] })
  await log.advanceLogStart(7)
  assert.deepEqual(await log.offsetForTimestamp(aMoment - 1000 + 300), { offset: 8, timestamp: aMoment - 600 })
})

test('an empty log has no timestamps', async () => {
  const log = await new LogWorld().open()
  assert.equal(await log.offsetForTimestamp(0), undefined)
  assert.equal(await log.maxTimestamp(Infinity), undefined)
})

test('with LogAppendTime every record of a batch has the time of the broker, under a checksum that holds', async () => {
  const world = new LogWorld({}, { hasLogAppendTime: true })
  const log = await world.open()
  const answers = [await log.append(aBatch({ records: 3, timestamp: 5, compression: 'gzip' }), { leaderEpoch: 0 })]
  await world.clock.advance(50)
  answers.push(await log.append(aBatch({ records: 2, timestamp: aMoment * 2 }), { leaderEpoch: 0 }))
  assert.deepEqual(answers.map(({ logAppendTime }) => logAppendTime), [aMoment, aMoment + 50])
  const batches = await readAll(log)
  assert(batches.every((batch) => batch.isIntact() && batch.hasLogAppendTime))
  assert.deepEqual(batches.map(({ maxTimestamp }) => maxTimestamp), [aMoment, aMoment + 50])
  assert.deepEqual(await log.offsetForTimestamp(aMoment + 1), { offset: 3, timestamp: aMoment + 50 })
  const again = await log.append(aBatch({ producerId: 5 }), { leaderEpoch: 0 })
  await world.clock.advance(50)
  assert.deepEqual(await log.append(aBatch({ producerId: 5 }), { leaderEpoch: 0 }), again, 'a duplicate has the time of the original')
})
