// Passes over random logs, batch by batch as the code does them, held against a model that knows the rules and no bytes.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BatchFilter } from '../../broker/compaction/batch-filter.ts'
import { KeyIndexing } from '../../broker/compaction/key-indexing.ts'
import { KeyMap } from '../../broker/compaction/key-map.ts'
import type { LastOfProducer } from '../../broker/log/log-compaction.ts'
import type { AbortedTransaction } from '../../broker/log/sealed-segment.ts'
import { compressionNames, RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import { aMoment } from '../support/a-batch.ts'
import { abortedOf, aHistory, type PlainBatch } from '../support/compaction-history.ts'
import { type ModelBatch, modelPass, tableOf } from '../support/compaction-model.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const inflatedBytesMax = 1024 * 1024
const dayMs = 86_400_000

interface Pass {
  readonly aborted: readonly AbortedTransaction[]
  readonly dirtyStart: number
  readonly now: number
  readonly lastOfProducers: ReadonlyMap<number, LastOfProducer>
  /** Batches that the map has room for. */
  readonly batchesIndexed: number
}

function run(log: readonly Buffer[], pass: Pass) {
  const { dirtyStart, aborted } = pass
  const map = new KeyMap({ bytesMax: 64 * 1024 })
  const indexing = new KeyIndexing({ map, startOffset: dirtyStart, transactions: { aborted }, inflatedBytesMax })
  const batches = log.map((bytes) => new RecordBatch(bytes))
  for (const batch of batches.filter(({ endOffset }) => endOffset > dirtyStart).slice(0, pass.batchesIndexed)) assert.ok(indexing.add(batch))
  const filter = new BatchFilter({
    map, mapEndOffset: indexing.endOffset, transactions: { aborted }, roundEndOffset: batches.at(-1)!.endOffset,
    lastOfProducers: pass.lastOfProducers, now: pass.now, deleteRetentionMs: dayMs, inflatedBytesMax,
  })
  const kept = batches.flatMap((batch) => filter.filter(batch) ?? [])
  return { kept, mapEnd: indexing.endOffset, roundEnd: batches.at(-1)!.endOffset, abortedKept: filter.abortedKept, counts: filter.counts }
}

/** The newest of each producer that is still remembered; one in three is forgotten. */
function lastOf(random: SeededRandom, history: readonly PlainBatch[]): Map<number, LastOfProducer> {
  const last = new Map<number, LastOfProducer>()
  for (const { producerId, isMarker, lastOffset, epoch } of history) {
    if (producerId >= 0) last.set(producerId, { lastDataOffset: isMarker ? last.get(producerId)?.lastDataOffset ?? -1 : lastOffset, epoch })
  }
  for (const producerId of [...last.keys()]) if (random.chance(1 / 3)) last.delete(producerId)
  return last
}

function assertSame(bytes: readonly Buffer[], model: readonly ModelBatch[], original: ReadonlyMap<number, PlainBatch>): void {
  assert.deepEqual(bytes.map((one) => new RecordBatch(one).baseOffset), model.map(({ baseOffset }) => baseOffset))
  for (const [index, expected] of model.entries()) {
    const batch = new RecordBatch(bytes[index]!)
    const before = original.get(expected.baseOffset)!
    assert.ok(batch.isIntact() && batch.length === batch.bytes.length)
    const was = new RecordBatch(before.bytes)
    assert.deepEqual(
      [batch.lastOffset, batch.leaderEpoch, batch.producerId, batch.producerEpoch, batch.baseSequence, batch.isTransactional, batch.isControl],
      [was.lastOffset, was.leaderEpoch, was.producerId, was.producerEpoch, was.baseSequence, was.isTransactional, was.isControl],
    )
    assert.equal(batch.hasDeleteHorizon ? batch.baseTimestamp : undefined, expected.horizon)
    assert.equal(batch.compression, expected.records.length === 0 ? 'none' : was.compression)
    const records = [...recordsOf(batch, { bytesMax: inflatedBytesMax })]
    assert.deepEqual(records.map(({ offset, timestamp }) => [offset, timestamp]), expected.records.map(({ offset, timestamp }) => [offset, timestamp]))
    if (records.length > 0) assert.equal(batch.maxTimestamp, Math.max(...records.map(({ timestamp }) => timestamp)))
    if (batch.isControl) continue
    assert.deepEqual(records.map(({ key, value }) => [key?.toString() ?? null, value?.toString() ?? null]),
      expected.records.map(({ key, value }) => [key, value]))
  }
}

describe('passes over a random log', () => {
  for (let seed = 1; seed <= 60; seed++) {
    test(`leave what the rules say, seed ${seed}`, () => {
      const random = new SeededRandom(seed)
      const history = aHistory(random, {
        batches: 30 + random.below(60), keys: 1 + random.below(40), producers: random.below(7), compressions: compressionNames,
      })
      const original = new Map(history.map((batch) => [batch.baseOffset, batch]))
      const lastOfProducers = lastOf(random, history)
      let bytes: readonly Buffer[] = history.map((one) => one.bytes)
      let model: readonly ModelBatch[] = history
      let aborted: readonly AbortedTransaction[] = abortedOf(history)
      let dirtyStart = history[0]!.baseOffset
      let now = aMoment
      for (let pass = 0; pass < 8; pass++) {
        const before = bytes.map((one) => Buffer.from(one))
        const done = run(bytes, { aborted, dirtyStart, now, lastOfProducers, batchesIndexed: pass < 5 ? random.below(40) : Infinity })
        // Killed after the first half, or before the swap: the same again.
        const again = run(bytes, { aborted, dirtyStart, now, lastOfProducers, batchesIndexed: Infinity })
        assert.deepEqual(bytes, before, 'what is read is not written to')
        if (done.mapEnd === again.mapEnd) assert.deepEqual(done.kept, again.kept)
        model = modelPass(model, {
          dirtyStart, mapEnd: done.mapEnd, roundEnd: done.roundEnd, now, deleteRetentionMs: dayMs, lastOfProducers,
        })
        assertSame(done.kept, model, original)
        assert.deepEqual(tableOf(model), tableOf(history))
        const untouched = done.kept.filter((one) => before.some((other) => other.equals(one)))
        assert.equal(done.kept.filter((one) => bytes.includes(one)).length, untouched.length, 'what did not change is the same memory')
        bytes = done.kept
        aborted = done.abortedKept
        dirtyStart = done.mapEnd
        now += random.below(dayMs)
      }
      const last = run(bytes, { aborted, dirtyStart, now: now + 2 * dayMs, lastOfProducers, batchesIndexed: Infinity })
      const kept = last.kept.map((one) => new RecordBatch(one))
      const tombstones = kept.filter(({ isControl }) => !isControl).flatMap((batch) => [...recordsOf(batch, { bytesMax: inflatedBytesMax })])
        .filter(({ value }) => value === null)
      assert.equal(tombstones.length, 0, 'deleted keys are gone after delete.retention.ms')
    })
  }
})
