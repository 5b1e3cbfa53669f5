import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { aBatch, aMarker, aMoment } from '../support/a-batch.ts'
import { LogWorld } from './log-world.ts'

interface Made {
  readonly times: readonly number[]
  readonly isControl: boolean
  readonly isUnreadable?: boolean
}

const timeOf = (time: number) => aMoment - 1000 + time

/** A log of these batches, and what its records' timestamps are. */
async function logOf(batches: readonly Made[], config = {}) {
  const log = await new LogWorld({}, config).openCold()
  const records: { readonly offset: number; readonly timestamp: number }[] = []
  for (const { times, isControl, isUnreadable = false } of batches) {
    const baseOffset = log.endOffset
    const timestamps = times.map(timeOf)
    const fields = isUnreadable ? { attributes: 1 } : {}
    const { errorCode } = await log.replicate(isControl
      ? aMarker({ producerId: 1, isCommit: true, baseOffset, leaderEpoch: 0, timestamp: timestamps[0]! })
      : aBatch({ timestamps, baseOffset, leaderEpoch: 0, fields }))
    assert.equal(errorCode, ErrorCode.NONE)
    if (!isControl) timestamps.forEach((timestamp, index) => records.push({ offset: baseOffset + index, timestamp }))
  }
  return { log, records }
}

const batch = (...times: number[]): Made => ({ times, isControl: false })
const marker = (time: number): Made => ({ times: [time], isControl: true })

test('a record behind the end that may be told is not told, and the largest one before it is', async () => {
  const { log } = await logOf([batch(10, 30), batch(20), batch(40)])
  assert.deepEqual(await log.maxTimestamp(4), { offset: 3, timestamp: timeOf(40) })
  assert.deepEqual(await log.maxTimestamp(3), { offset: 1, timestamp: timeOf(30) })
  assert.deepEqual(await log.maxTimestamp(1), { offset: 0, timestamp: timeOf(10) })
  assert.equal(await log.maxTimestamp(0), undefined)
  await log.advanceLogStart(2)
  assert.deepEqual(await log.maxTimestamp(3), { offset: 2, timestamp: timeOf(20) })
})

test('a marker that ends a transaction, which is later than its records, does not hide them', async () => {
  const { log } = await logOf([batch(10, 30), marker(35), batch(20), marker(36)])
  assert.deepEqual(await log.maxTimestamp(5), { offset: 1, timestamp: timeOf(30) })
})

test('a batch that cannot be opened is found as a whole', async () => {
  const { log } = await logOf([batch(10), { ...batch(20, 25), isUnreadable: true }, batch(40)])
  assert.deepEqual(await log.maxTimestamp(3), { offset: 1, timestamp: timeOf(25) })
  await log.advanceLogStart(2)
  assert.deepEqual(await log.maxTimestamp(3), { offset: 2, timestamp: timeOf(25) })
})

test('it finds what a scan of all records finds, between any start and any end', async () => {
  const times = fc.array(fc.nat(40), { minLength: 1, maxLength: 4 })
  const made = fc.oneof({ weight: 4, arbitrary: times.map((some) => batch(...some)) }, fc.nat(60).map(marker))
  const shape = fc.tuple(fc.array(made, { minLength: 1, maxLength: 12 }), fc.constantFrom(1, 500, 1 << 20), fc.constantFrom(1, 300, 4096))
  await fc.assert(fc.asyncProperty(shape, fc.nat(20), fc.nat(48), async ([batches, segmentBytes, indexIntervalBytes], start, end) => {
    const { log, records } = await logOf(batches, { segmentBytes, indexIntervalBytes })
    const logStart = Math.min(start, log.endOffset)
    await log.advanceLogStart(logStart)
    const seen = records.filter(({ offset }) => offset >= logStart && offset < end)
    const largest = Math.max(...seen.map(({ timestamp }) => timestamp))
    assert.deepEqual(await log.maxTimestamp(end), seen.find(({ timestamp }) => timestamp === largest))
  }), { numRuns: 300 })
})
