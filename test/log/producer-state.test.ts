import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProducerState, producersMax } from '../../broker/log/producer-state.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { markerIn } from '../../broker/log/marker.ts'
import { aBatch, aMarker, aMoment, type BatchShape, type MarkerShape } from '../support/a-batch.ts'

const producerId = 7

function batch(shape: BatchShape): RecordBatch {
  return new RecordBatch(aBatch({ producerId, valueBytes: 1, ...shape }))
}

/** A producer that has sent batches of so many records each, one after another. */
function afterBatches(counts: readonly number[], first: { sequence?: number; epoch?: number } = {}): ProducerState {
  const state = new ProducerState()
  let sequence = first.sequence ?? 0
  let offset = 1000
  for (const records of counts) {
    state.apply(batch({ records, baseSequence: sequence, baseOffset: offset, producerEpoch: first.epoch ?? 0 }), { now: aMoment, marker: undefined })
    sequence = (sequence + records) % 2 ** 31
    offset += records
  }
  return state
}

function outcome(state: ProducerState, shape: BatchShape): string {
  const checked = state.check(batch(shape))
  if (checked.kind === 'refused') return ErrorCode[checked.errorCode as never] ?? String(checked.errorCode)
  return checked.kind === 'duplicate' ? `duplicate of ${checked.original.baseOffset}` : 'new'
}

const outOfOrder = String(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
const fenced = String(ErrorCode.INVALID_PRODUCER_EPOCH)
const six = [2, 3, 1, 1, 4, 2]

const cases: readonly (readonly [what: string, state: () => ProducerState, shape: BatchShape, expected: string])[] = [
  ['a batch without a producer is always new', () => afterBatches([1]), { producerId: -1 }, 'new'],
  ['an unknown producer may begin anywhere', () => new ProducerState(), { baseSequence: 17 }, 'new'],
  ['the next sequence is new', () => afterBatches([2, 3]), { baseSequence: 5 }, 'new'],
  ['a gap is out of order', () => afterBatches([2, 3]), { baseSequence: 6 }, outOfOrder],
  ['the last of five is a duplicate', () => afterBatches(six), { baseSequence: 11, records: 2 }, 'duplicate of 1011'],
  ['the first of five is a duplicate', () => afterBatches(six), { baseSequence: 2, records: 3 }, 'duplicate of 1002'],
  ['one before the last five is out of order', () => afterBatches(six), { baseSequence: 0, records: 2 }, outOfOrder],
  ['the same start with another end is no duplicate', () => afterBatches(six), { baseSequence: 2, records: 2 }, outOfOrder],
  ['an older epoch is fenced', () => afterBatches([1], { epoch: 3 }), { producerEpoch: 2, baseSequence: 1 }, fenced],
  ['a newer epoch begins at zero', () => afterBatches([5]), { producerEpoch: 1, baseSequence: 0 }, 'new'],
  ['a newer epoch begins nowhere else', () => afterBatches([5]), { producerEpoch: 1, baseSequence: 5 }, outOfOrder],
  ['the sequence wraps to zero', () => afterBatches([1], { sequence: 2 ** 31 - 1 }), { baseSequence: 0 }, 'new'],
  ['a batch may lie across the wrap', () => afterBatches([4], { sequence: 2 ** 31 - 2 }), { baseSequence: 2 }, 'new'],
  ['a duplicate across the wrap is one', () => afterBatches([4], { sequence: 2 ** 31 - 2 }), { baseSequence: 2 ** 31 - 2, records: 4 }, 'duplicate of 1000'],
  ['the last sequence is followed by zero alone', () => afterBatches([1], { sequence: 2 ** 31 - 1 }), { baseSequence: 1 }, outOfOrder],
]

for (const [what, state, shape, expected] of cases) {
  test(what, () => {
    assert.equal(outcome(state(), shape), expected)
    assert.equal(outcome(ProducerState.restore(state().snapshot()), shape), expected, 'after a snapshot')
  })
}

test('a new epoch forgets the batches of the old one', () => {
  const state = afterBatches([1, 1])
  state.apply(batch({ producerEpoch: 1, baseSequence: 0, baseOffset: 1002 }), { now: aMoment, marker: undefined })
  assert.equal(outcome(state, { producerEpoch: 1, baseSequence: 1 }), 'new')
  assert.equal(outcome(state, { producerEpoch: 0, baseSequence: 1 }), fenced)
})

test('an idle producer is forgotten by the clock of the broker, whatever its timestamps say', () => {
  const state = new ProducerState()
  state.apply(batch({ timestamp: aMoment + 1e9 }), { now: aMoment, marker: undefined })
  state.apply(batch({ producerId: 8, timestamp: 1 }), { now: aMoment + 500, marker: undefined })
  state.expire(aMoment + 1000, 1000)
  assert.equal(state.count, 2)
  state.expire(aMoment + 1001, 1000)
  assert.deepEqual(state.describe().map((one) => one.producerId), [8])
})

test('a producer with an open transaction is never forgotten', () => {
  const state = new ProducerState()
  state.apply(batch({ isTransactional: true, baseOffset: 5 }), { now: aMoment, marker: undefined })
  state.expire(aMoment + 1e9, 1)
  assert.equal(state.count, 1)
  assert.equal(state.firstOpenOffset, 5)
})

/** Takes in one batch of each of so many producers, from an id on. */
function hear(state: ProducerState, { first, count, isTransactional = false }: { first: number; count: number; isTransactional?: boolean }): void {
  const { bytes } = batch({ isTransactional })
  for (let id = first; id < first + count; id++) {
    bytes.writeBigInt64BE(BigInt(id), 43)
    state.apply(new RecordBatch(bytes), { now: aMoment, marker: undefined })
  }
}

test('of many producers those are known that were heard last', () => {
  const state = new ProducerState()
  for (let first = 100; first < 100_000; first += 900) {
    hear(state, { first, count: 900 })
    hear(state, { first: 7, count: 1 })
    assert(state.count <= producersMax)
  }
  assert(state.count > producersMax * 0.9)
  assert(state.knows(7), 'it is heard again and again')
  assert(!state.knows(100))
  for (let id = 100_000 - Math.floor(producersMax * 0.9); id < 100_000; id++) assert(state.knows(id), String(id))
})

test('producers with an open transaction are known however many others come', () => {
  const state = new ProducerState()
  hear(state, { first: 1, count: 50, isTransactional: true })
  hear(state, { first: 100, count: 50_000 })
  for (let id = 1; id <= 50; id++) assert(state.knows(id), String(id))
  assert(state.count <= producersMax + 50)
})

test('no more are taken out of a snapshot than are remembered, and those that were heard last', () => {
  const state = new ProducerState()
  hear(state, { first: 1, count: 1_000 })
  const { 0: one } = state.snapshot()
  const long = Array.from({ length: producersMax + 5_000 }, (_, id) => [id, ...one!.slice(1)]) as unknown as ReturnType<ProducerState['snapshot']>
  const restored = ProducerState.restore(long)
  assert(restored.count <= producersMax)
  assert(!restored.knows(0) && restored.knows(producersMax + 4_999))
})

test('a copy and what it was made of go their own ways', () => {
  const state = afterBatches([1, 1])
  const copy = state.copy()
  const before = copy.snapshot()
  state.apply(batch({ baseSequence: 2, baseOffset: 1002, isTransactional: true }), { now: aMoment + 1, marker: undefined })
  hear(state, { first: 50, count: 3 })
  assert.deepEqual(copy.snapshot(), before)
  assert.equal(copy.firstOpenOffset, undefined)
  const after = state.snapshot()
  copy.apply(batch({ baseSequence: 2, baseOffset: 1002, fill: 9 }), { now: aMoment + 2, marker: undefined })
  copy.expire(aMoment + 1e9, 1)
  assert.deepEqual(state.snapshot(), after)
  assert.equal(copy.count, 0)
})

function end(state: ProducerState, shape: Omit<MarkerShape, 'producerId'> & { producerId?: number }) {
  const marker = new RecordBatch(aMarker({ producerId, ...shape }))
  return state.apply(marker, { now: aMoment, marker: markerIn(marker) })
}

test('a transaction ends with its marker, and an aborted one is told with its range', () => {
  const state = new ProducerState()
  state.apply(batch({ isTransactional: true, baseOffset: 10, records: 2 }), { now: aMoment, marker: undefined })
  state.apply(batch({ producerId: 8, isTransactional: true, baseOffset: 12 }), { now: aMoment, marker: undefined })
  state.apply(batch({ isTransactional: true, baseOffset: 13, baseSequence: 2 }), { now: aMoment, marker: undefined })
  assert.equal(state.firstOpenOffset, 10)
  assert.deepEqual(end(state, { isCommit: false, baseOffset: 14, coordinatorEpoch: 3 }),
    { producerId, firstOffset: 10, lastOffset: 14, lastStableOffset: 12 })
  assert.equal(state.firstOpenOffset, 12)
  assert.equal(end(state, { producerId: 8, isCommit: true, baseOffset: 15 }), undefined)
  assert.equal(state.firstOpenOffset, undefined)
  assert.equal(state.describe()[0]!.coordinatorEpoch, 3)
})

test('a marker does not use up a sequence', () => {
  const state = new ProducerState()
  state.apply(batch({ isTransactional: true, records: 3 }), { now: aMoment, marker: undefined })
  end(state, { isCommit: true, baseOffset: 3 })
  assert.equal(outcome(state, { baseSequence: 3 }), 'new')
})

test('a marker with a higher epoch makes the next batch begin at zero', () => {
  const state = new ProducerState()
  state.apply(batch({ isTransactional: true, records: 3 }), { now: aMoment, marker: undefined })
  end(state, { isCommit: false, producerEpoch: 1, baseOffset: 3 })
  assert.equal(outcome(state, { producerEpoch: 1, baseSequence: 0 }), 'new')
  assert.equal(outcome(state, { producerEpoch: 1, baseSequence: 3 }), outOfOrder)
})

test('a snapshot is the state, whatever happened', () => {
  const step = fc.record({
    producerId: fc.integer({ min: 0, max: 3 }), records: fc.integer({ min: 1, max: 4 }), bump: fc.boolean(), isTransactional: fc.boolean(),
    end: fc.constantFrom('none', 'commit', 'abort'),
  })
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const state = new ProducerState()
    const next = new Map<number, { epoch: number; sequence: number }>()
    const open = new Set<number>()
    let offset = 0
    for (const { producerId: id, records, bump, isTransactional: begins, end: how } of steps) {
      const isTransactional = begins || open.has(id)
      if (isTransactional && how === 'none') open.add(id)
      else open.delete(id)
      const known = next.get(id) ?? { epoch: 0, sequence: 0 }
      const at = bump ? { epoch: known.epoch + 1, sequence: 0 } : known
      const sent = batch({ producerId: id, records, producerEpoch: at.epoch, baseSequence: at.sequence, isTransactional, baseOffset: offset })
      assert.equal(state.check(sent).kind, 'new')
      state.apply(sent, { now: aMoment, marker: undefined })
      assert.equal(state.check(sent).kind, 'duplicate')
      next.set(id, { epoch: at.epoch, sequence: at.sequence + records })
      offset += records
      if (how !== 'none') end(state, { producerId: id, isCommit: how === 'commit', producerEpoch: at.epoch, baseOffset: offset++ })
      const restored = ProducerState.restore(JSON.parse(JSON.stringify(state.snapshot())))
      assert.deepEqual(restored.snapshot(), state.snapshot())
      assert.equal(restored.firstOpenOffset, state.firstOpenOffset)
    }
  }), { numRuns: 200 })
})
