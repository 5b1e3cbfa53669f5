import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { markerBatch, markerIn } from '../../broker/log/marker.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import { aBatch, aMarker, aMoment } from '../support/a-batch.ts'
import { appendAll, LogWorld, readAll } from './log-world.ts'

const producerId = 7

interface Ending {
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly isCommit?: boolean
  readonly coordinatorEpoch?: number
  readonly hasOwnEpoch?: boolean
}

function end(log: PartitionLog, of: Ending = {}) {
  const { hasOwnEpoch = false, ...rest } = of
  const marker = markerBatch({ producerId, producerEpoch: 0, isCommit: true, coordinatorEpoch: 0, timestamp: aMoment, ...rest })
  return log.appendMarker(marker, { leaderEpoch: 0, hasOwnEpoch })
}

const data = (baseSequence: number, shape: { producerId?: number; producerEpoch?: number; records?: number } = {}) =>
  aBatch({ producerId, isTransactional: true, baseSequence, ...shape })

test('a marker is the control batch that Kafka writes', () => {
  const of = { producerId, producerEpoch: 3, isCommit: true, coordinatorEpoch: 5, timestamp: aMoment }
  const bytes = markerBatch(of)
  assert.deepEqual(bytes, aMarker(of))
  const batch = new RecordBatch(bytes)
  assert.ok(batch.isIntact() && batch.isControl && batch.isTransactional)
  assert.deepEqual([...recordsOf(batch, { bytesMax: 100 })].map(({ key, value }) => [key, value]), [[Buffer.from([0, 0, 0, 1]), Buffer.from([0, 0, 0, 0, 0, 5])]])
  assert.deepEqual(markerIn(new RecordBatch(markerBatch({ ...of, isCommit: false }))), { isCommit: false, coordinatorEpoch: 5 })
})

/** What was written before of producer 7, and what a marker is answered then; with how many offsets it takes. */
const endings: readonly (readonly [what: string, before: (log: PartitionLog) => Promise<unknown>, Ending, answer: string, offsets: number])[] = [
  ['of nobody is written: what comes late is fenced by it', async () => {}, { producerEpoch: 1 }, 'NONE', 1],
  ['ends an open transaction', (log) => appendAll(log, [data(0)]), {}, 'NONE', 1],
  ['of a lower epoch is refused', (log) => appendAll(log, [data(0, { producerEpoch: 2 })]), { producerEpoch: 1 }, 'INVALID_PRODUCER_EPOCH', 0],
  ['with a transaction of its own has a higher epoch than that', (log) => appendAll(log, [data(0, { producerEpoch: 2 })]),
    { producerEpoch: 2, hasOwnEpoch: true }, 'INVALID_PRODUCER_EPOCH', 0],
  ['with a higher epoch ends it', (log) => appendAll(log, [data(0, { producerEpoch: 2 })]), { producerEpoch: 3, hasOwnEpoch: true }, 'NONE', 1],
  ['that comes again is not written again', (log) => Promise.all([appendAll(log, [data(0)]), end(log)]), {}, 'NONE', 0],
  ['that comes again by newer rules neither', (log) => Promise.all([appendAll(log, [data(0)]), end(log, { producerEpoch: 1, hasOwnEpoch: true })]),
    { producerEpoch: 1, hasOwnEpoch: true }, 'NONE', 0],
  ['of a new coordinator is written, to fence the one before', (log) => Promise.all([appendAll(log, [data(0)]), end(log)]),
    { coordinatorEpoch: 1 }, 'NONE', 1],
  ['of a deposed coordinator is refused', (log) => Promise.all([appendAll(log, [data(0)]), end(log, { coordinatorEpoch: 4 }), appendAll(log, [data(1)])]),
    { coordinatorEpoch: 3 }, 'TRANSACTION_COORDINATOR_FENCED', 0],
]

for (const [what, before, ending, answer, offsets] of endings) {
  test(`a marker ${what}`, async () => {
    const log = await new LogWorld().open()
    await before(log)
    const { endOffset } = log
    const appended = await end(log, ending)
    assert.equal(errorName(appended.errorCode), answer)
    assert.equal(log.endOffset - endOffset, offsets)
    if (answer === 'NONE') assert.equal(appended.endOffset, log.endOffset, 'it counts once that far is committed')
  })
}

test('after a marker that has brought an epoch, older batches are fenced and sequences begin at zero', async () => {
  const log = await new LogWorld().open()
  await appendAll(log, [data(0), data(1)])
  await end(log, { producerEpoch: 1, hasOwnEpoch: true })
  const codes = await Promise.all([data(2), data(2, { producerEpoch: 1 }), data(0, { producerEpoch: 1 })].map((batch) => log.append(batch, { leaderEpoch: 0 })))
  assert.deepEqual(codes.map(({ errorCode }) => errorCode), [ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.NONE])
})

test('what is no part of an open transaction is refused of its producer', async () => {
  const log = await new LogWorld().open()
  await appendAll(log, [data(0)])
  const { errorCode } = await log.append(aBatch({ producerId, baseSequence: 1 }), { leaderEpoch: 0 })
  assert.equal(errorCode, ErrorCode.INVALID_TXN_STATE)
})

test('a transaction is decided once its marker is committed, and not when it is written', async () => {
  const log = await new LogWorld().open()
  await appendAll(log, [aBatch(), data(0, { records: 2 }), data(0, { producerId: 8 })])
  assert.deepEqual([0, 1, 4].map((bound) => log.lastStableOffset(bound)), [0, 1, 1])
  await end(log)
  assert.deepEqual([log.lastStableOffset(4), log.lastStableOffset(5)], [1, 3], 'the marker lies at 4, and another transaction is open from 3 on')
  await end(log, { producerId: 8 })
  assert.equal(log.lastStableOffset(5), 3)
  assert.equal(log.lastStableOffset(6), 6)
})

test('records that were deleted hold up nobody', async () => {
  const log = await new LogWorld().open()
  await appendAll(log, [data(0), aBatch(), aBatch()])
  await log.advanceLogStart(2)
  assert.equal(log.lastStableOffset(3), 2)
})

interface Truth {
  readonly open: Map<number, number>
  readonly aborted: { producerId: number; firstOffset: number; lastOffset: number }[]
}

/** What a log says of its transactions, made of its batches in the plainest way. */
async function truthOf(log: PartitionLog): Promise<Truth> {
  const truth: Truth = { open: new Map(), aborted: [] }
  for (const batch of await readAll(log, 0)) {
    const marker = markerIn(batch)
    const firstOffset = truth.open.get(batch.producerId)
    if (marker === undefined) truth.open.set(batch.producerId, firstOffset ?? batch.baseOffset)
    else truth.open.delete(batch.producerId)
    if (marker?.isCommit === false && firstOffset !== undefined) {
      truth.aborted.push({ producerId: batch.producerId, firstOffset, lastOffset: batch.baseOffset })
    }
  }
  return truth
}

async function holds(log: PartitionLog): Promise<void> {
  const truth = await truthOf(log)
  const { endOffset } = log
  assert.equal(log.lastStableOffset(endOffset), Math.min(endOffset, ...truth.open.values()))
  for (let start = 0; start < endOffset; start += 3) {
    for (const stop of [start + 1, start + 5, endOffset]) {
      const found = await log.aborted({ start, end: stop })
      const expected = truth.aborted.filter(({ firstOffset, lastOffset }) => lastOffset >= start && firstOffset < stop)
      assert.deepEqual(found.map(({ producerId: id, firstOffset, lastOffset }) => ({ producerId: id, firstOffset, lastOffset })), expected, `${start} to ${stop}`)
    }
  }
}

test('open and aborted transactions are those of the batches, over segments, crashes, orderly ends and truncations', async () => {
  const steps = fc.array(fc.oneof(
    fc.record({ do: fc.constant('write' as const), producer: fc.integer({ min: 1, max: 3 }), records: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('end' as const), producer: fc.integer({ min: 1, max: 3 }), isCommit: fc.boolean() }),
    fc.record({ do: fc.constantFrom('roll' as const, 'crash' as const, 'restart' as const) }),
    fc.record({ do: fc.constant('truncate' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  ), { minLength: 5, maxLength: 40 })
  await fc.assert(fc.asyncProperty(steps, async (history) => {
    const world = new LogWorld({}, { segmentBytes: 600 })
    let log = await world.open()
    const next = new Map<number, { epoch: number; sequence: number }>()
    for (const step of history) {
      if (step.do === 'write') {
        const { epoch, sequence } = next.get(step.producer) ?? { epoch: 0, sequence: 0 }
        await appendAll(log, [data(sequence, { producerId: step.producer, producerEpoch: epoch, records: step.records })])
        next.set(step.producer, { epoch, sequence: sequence + step.records })
      } else if (step.do === 'end') {
        const epoch = (next.get(step.producer)?.epoch ?? 0) + 1
        const { errorCode } = await end(log, { producerId: step.producer, producerEpoch: epoch, isCommit: step.isCommit, hasOwnEpoch: true })
        assert.equal(errorCode, ErrorCode.NONE)
        next.set(step.producer, { epoch, sequence: 0 })
      } else if (step.do === 'roll') await log.roll()
      else if (step.do === 'truncate') {
        await log.truncateTo(Math.floor(log.endOffset * step.share))
        // Whoever leads by now has them go on in an epoch of their own.
        for (const [id, { epoch }] of next) next.set(id, { epoch: epoch + 1, sequence: 0 })
      } else {
        if (step.do === 'restart') await log.close()
        else await log.abandon()
        log = await world.open()
      }
    }
    await holds(log)
    await log.abandon()
  }), { numRuns: 150 })
})
