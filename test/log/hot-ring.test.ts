import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HotBudget, HotRing, type LentBatches } from '../../broker/log/hot-ring.ts'
import { batchesIn, RecordBatch } from '../../broker/protocol/record-batch.ts'
import { aBatch } from '../support/a-batch.ts'

interface Kept {
  readonly baseOffset: number
  readonly endOffset: number
  readonly bytes: Buffer
}

/** A ring and everything that ever went into it. */
class Watched {
  readonly ring: HotRing
  readonly all: Kept[] = []
  end = 0

  constructor(budget: HotBudget) {
    this.ring = new HotRing(budget)
  }

  add(records: number, valueBytes: number): void {
    const bytes = aBatch({ records, valueBytes, fill: this.all.length % 256, baseOffset: this.end })
    this.all.push({ baseOffset: this.end, endOffset: this.end + records, bytes: Buffer.from(bytes) })
    this.ring.add(new RecordBatch(bytes))
    this.end += records
    // The memory of the append is used for something else.
    bytes.fill(0xee)
  }

  /** What a read has to find: whole batches from the one that holds the offset, as far as the bounds allow. */
  expected(range: { offset: number; endOffset: number; bytesMax: number; minOneBatch: boolean }): Buffer {
    const found: Buffer[] = []
    let bytes = 0
    for (const batch of this.all) {
      if (batch.endOffset <= range.offset) continue
      if (batch.endOffset > range.endOffset) break
      if (bytes + batch.bytes.length > range.bytesMax && !(range.minOneBatch && found.length === 0)) break
      found.push(batch.bytes)
      bytes += batch.bytes.length
    }
    return Buffer.concat(found)
  }
}

const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), ring: fc.nat(2), records: fc.integer({ min: 1, max: 3 }), valueBytes: fc.constantFrom(1, 50, 300, 900) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), ring: fc.nat(2), at: fc.double({ min: 0, max: 1, noNaN: true }), until: fc.double({ min: 0, max: 1, noNaN: true }),
    bytesMax: fc.constantFrom(0, 100, 1000, 100_000), minOneBatch: fc.boolean(), isKept: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), ring: fc.nat(2) }) },
)

test('rings hold the newest batches within their budget, and what is lent never changes', () => {
  fc.assert(fc.property(fc.constantFrom(0, 300, 2_000, 10_000, 100_000), fc.array(command, { maxLength: 120 }), (bytesMax, commands) => {
    const budget = new HotBudget(bytesMax)
    const rings = [new Watched(budget), new Watched(budget), new Watched(budget)]
    const lent: { read: LentBatches; expected: Buffer }[] = []
    for (const one of commands) {
      const watched = rings[one.ring]!
      if (one.kind === 'add') watched.add(one.records, one.valueBytes)
      else if (one.kind === 'clear') watched.ring.clear()
      else {
        const start = watched.ring.startOffset
        if (start === undefined) continue
        const offset = start + Math.floor(one.at * (watched.end - start - 1))
        const range = { offset, endOffset: offset + Math.ceil(one.until * (watched.end - offset)), bytesMax: one.bytesMax, minOneBatch: one.minOneBatch }
        const read = watched.ring.read(range)
        const expected = watched.expected(range)
        assert.deepEqual(Buffer.concat(read.buffers), expected)
        if (one.isKept) lent.push({ read, expected })
        else read.release()
      }
      assert(budget.bytes <= bytesMax, `${budget.bytes} of ${bytesMax}`)
    }
    for (const { read, expected } of lent) assert.deepEqual(Buffer.concat(read.buffers), expected)
  }), { numRuns: 400 })
})

test('batches that lie side by side are one view', () => {
  const watched = new Watched(new HotBudget(1 << 20))
  for (let count = 0; count < 5; count++) watched.add(1, 100)
  const read = watched.ring.read({ offset: 1, endOffset: 5, bytesMax: 1 << 20, minOneBatch: true })
  assert.equal(read.buffers.length, 1)
  assert.equal([...batchesIn(read.buffers[0]!)].length, 4)
})

test('the oldest batches go first, whoever\'s they are', () => {
  const budget = new HotBudget(8_000)
  const [quiet, busy] = [new Watched(budget), new Watched(budget)]
  quiet.add(1, 100)
  for (let count = 0; count < 100; count++) busy.add(1, 100)
  assert.equal(quiet.ring.startOffset, undefined)
  assert(busy.ring.startOffset! > 40)
})

test('behind a batch that is larger than the whole budget nothing of before is kept', () => {
  const watched = new Watched(new HotBudget(4_000))
  watched.add(1, 100)
  watched.add(1, 5_000)
  assert.equal(watched.ring.startOffset, undefined)
  watched.add(1, 100)
  assert.equal(watched.ring.startOffset, 2)
})

test('memory that was given back is used again', () => {
  const budget = new HotBudget(8_000)
  const watched = new Watched(budget)
  const memories = new Set<ArrayBufferLike>()
  for (let count = 0; count < 200; count++) {
    watched.add(1, 100)
    const read = watched.ring.read({ offset: watched.end - 1, endOffset: watched.end, bytesMax: 1, minOneBatch: true })
    memories.add(read.buffers[0]!.buffer)
    read.release()
  }
  assert(memories.size <= 9, `${memories.size} slabs`)
})

test('memory that is lent is not used again, however long it takes to come back', () => {
  const budget = new HotBudget(8_000)
  const watched = new Watched(budget)
  for (let count = 0; count < 8; count++) watched.add(1, 100)
  const range = { offset: 0, endOffset: watched.end, bytesMax: 1 << 20, minOneBatch: true }
  const read = watched.ring.read(range)
  const expected = watched.expected(range)
  for (let count = 0; count < 300; count++) watched.add(1, 100)
  assert(watched.ring.startOffset! > 8)
  assert.deepEqual(Buffer.concat(read.buffers), expected)
})
