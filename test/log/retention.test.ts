import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClockWatch, planLogStart } from '../../broker/log/log-retention.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import { aBatch, aMoment } from '../support/a-batch.ts'
import { appendAll, LogWorld } from './log-world.ts'

const hour = 3_600_000
const batchBytes = aBatch().length

async function settled(log: PartitionLog): Promise<number[]> {
  await new Promise((resolve) => setImmediate(resolve))
  return log.sealedSegments().map(({ endOffset }) => endOffset)
}

test('a segment is sealed before the batch that it has no room for', async () => {
  const world = new LogWorld({}, { segmentBytes: 3 * batchBytes })
  const log = await world.open()
  for (let count = 0; count < 7; count++) await appendAll(log, [aBatch()])
  assert.deepEqual(await settled(log), [3, 6])
  await appendAll(log, Array.from({ length: 7 }, () => aBatch()))
  assert.deepEqual(await settled(log), [3, 6, 9, 12])
})

test('a batch that is larger than a segment has one of its own', async () => {
  const world = new LogWorld({}, { segmentBytes: 500 })
  const log = await world.open()
  await appendAll(log, [aBatch(), aBatch({ valueBytes: 2_000 }), aBatch()])
  assert.deepEqual(await settled(log), [1, 2])
})

test('a segment is sealed by its age, counted from its first append, and an empty one never is', async () => {
  const world = new LogWorld({}, { segmentMs: hour })
  const log = await world.open()
  await world.clock.advance(2 * hour)
  await log.tick({ isClockTrusted: true })
  await appendAll(log, [aBatch()])
  await world.clock.advance(hour - 1)
  await log.tick({ isClockTrusted: true })
  assert.equal(log.segmentCount, 1)
  await world.clock.advance(1)
  await log.tick({ isClockTrusted: true })
  assert.deepEqual([log.segmentCount, ...(await settled(log))], [2, 1])
  await world.clock.advance(2 * hour)
  await log.tick({ isClockTrusted: true })
  assert.equal(log.segmentCount, 2)
})

const segment = (baseOffset: number, maxTimestamp: number, bytes = 100) => ({ baseOffset, endOffset: baseOffset + 10, bytes, maxTimestamp })
const old = aMoment - hour - 1

const plans: readonly (readonly [what: string, sealed: ReturnType<typeof segment>[], now: { openBytes?: number; logStartOffset?: number },
  limits: { retentionMs?: number; retentionBytes?: number }, expected: number])[] = [
  ['without limits everything stays', [segment(0, old), segment(10, old)], {}, {}, 0],
  ['what is too old goes', [segment(0, old), segment(10, old), segment(20, aMoment)], {}, { retentionMs: hour }, 20],
  ['what is exactly of that age stays', [segment(0, aMoment - hour)], {}, { retentionMs: hour }, 0],
  ['nothing goes behind a segment that stays', [segment(0, old), segment(10, aMoment), segment(20, old)], {}, { retentionMs: hour }, 10],
  ['a segment without timestamps is of unknown age, and stays', [segment(0, -1), segment(10, old)], {}, { retentionMs: hour }, 0],
  ['all sealed segments may go', [segment(0, old), segment(10, old)], { openBytes: 50 }, { retentionMs: hour }, 20],
  ['what there is no room for goes, the oldest first', [segment(0, aMoment), segment(10, aMoment), segment(20, aMoment)], { openBytes: 50 }, { retentionBytes: 150 }, 20],
  ['no more goes than has to', [segment(0, aMoment), segment(10, aMoment)], { openBytes: 50 }, { retentionBytes: 151 }, 0],
  ['at the limit nothing goes', [segment(0, aMoment), segment(10, aMoment)], {}, { retentionBytes: 200 }, 0],
  ['no retention at all leaves the open segment', [segment(0, aMoment)], { openBytes: 50 }, { retentionBytes: 0 }, 10],
  ['what lies below the log start goes in any case', [segment(0, aMoment), segment(10, aMoment)], { logStartOffset: 10 }, {}, 10],
  ['the log start within a segment keeps it', [segment(0, aMoment), segment(10, aMoment)], { logStartOffset: 15 }, {}, 15],
  ['the log start never moves back', [segment(0, old), segment(10, aMoment)], { logStartOffset: 15 }, { retentionMs: hour }, 15],
]

for (const [what, sealed, now, limits, expected] of plans) {
  test(what, () => {
    assert.equal(planLogStart(sealed, { wallMs: aMoment, openBytes: 0, logStartOffset: 0, ...now }, { retentionMs: -1, retentionBytes: -1, ...limits }), expected)
  })
}

test('a tick deletes by size, and what is deleted cannot be read', async () => {
  const world = new LogWorld({}, { segmentBytes: batchBytes, retentionBytes: 3 * batchBytes })
  const log = await world.open()
  await appendAll(log, Array.from({ length: 10 }, () => aBatch()))
  await settled(log)
  await log.tick({ isClockTrusted: true })
  assert.deepEqual([log.logStartOffset, log.localStartOffset, log.segmentCount], [7, 7, 3])
  assert.equal(world.names().filter((name) => name.endsWith('.log')).length, 3)
})

test('a tick deletes by age, the open segment too, but not while the clock is not trusted', async () => {
  const world = new LogWorld({}, { segmentMs: 1000 * hour, retentionMs: hour })
  const log = await world.open()
  await appendAll(log, [aBatch(), aBatch()])
  await world.clock.advance(hour)
  await log.tick({ isClockTrusted: true })
  assert.equal(log.segmentCount, 1)
  await world.clock.advance(1)
  await log.tick({ isClockTrusted: false })
  assert.equal(log.segmentCount, 1)
  await log.tick({ isClockTrusted: true })
  await settled(log)
  await log.tick({ isClockTrusted: true })
  assert.deepEqual([log.logStartOffset, log.durableEndOffset], [2, 2])
})

test('a log of which another tier decides deletes nothing by itself', async () => {
  const world = new LogWorld({}, { segmentBytes: batchBytes, segmentMs: 9 * hour, retentionBytes: 0, retentionMs: 0, isTiered: true })
  const log = await world.open()
  await appendAll(log, [aBatch(), aBatch(), aBatch()])
  await world.clock.advance(hour)
  await settled(log)
  await log.tick({ isClockTrusted: true })
  assert.deepEqual([log.logStartOffset, log.segmentCount], [0, 3])
})

/** A clock whose two hands can be set. */
class TwoHands implements Clock {
  wall = aMoment
  mono = 5
  now = () => this.wall
  monotonic = () => this.mono
  after = () => ({ cancel() {} })

  pass(ms: number, step = 0): void {
    this.wall += ms + step
    this.mono += ms
  }
}

test('a step of the wall clock is not believed for an hour, and a slow drift is', () => {
  for (const step of [2 * hour, -2 * hour, 60_001, -60_001]) {
    const clock = new TwoHands()
    const watch = new ClockWatch(clock)
    for (let looks = 0; looks < 100; looks++) {
      clock.pass(60_000, looks % 2 === 0 ? 500 : -400)
      assert(watch.isTrusted())
    }
    clock.pass(1000, step)
    assert(!watch.isTrusted(), `step ${step}`)
    clock.pass(hour - 1)
    assert(!watch.isTrusted())
    clock.pass(1)
    assert(watch.isTrusted())
  }
})

test('a pause in which both clocks went on is no step', () => {
  const clock = new TwoHands()
  const watch = new ClockWatch(clock)
  clock.pass(100 * hour)
  assert(watch.isTrusted())
})
