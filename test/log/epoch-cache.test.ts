import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EpochCache } from '../../broker/log/epoch-cache.ts'

const lineage = () => new EpochCache([{ epoch: 2, startOffset: 10 }, { epoch: 4, startOffset: 20 }, { epoch: 5, startOffset: 35 }])

test('an epoch is noted where it begins, and only forward', () => {
  const cache = new EpochCache()
  for (const [epoch, offset] of [[1, 0], [1, 5], [3, 9], [2, 12], [3, 15], [4, 20]] as const) cache.note(epoch, offset)
  assert.deepEqual(cache.starts, [{ epoch: 1, startOffset: 0 }, { epoch: 3, startOffset: 9 }, { epoch: 4, startOffset: 20 }])
  assert.equal(cache.latest, 4)
})

const ends: readonly (readonly [what: string, epoch: number, expected: { epoch: number; endOffset: number } | undefined])[] = [
  ['the latest epoch ends at the end of the log', 5, { epoch: 5, endOffset: 50 }],
  ['an epoch ends where the next one begins', 4, { epoch: 4, endOffset: 35 }],
  ['an epoch that never wrote ends where the one before it did', 3, { epoch: 2, endOffset: 20 }],
  ['an epoch before all that is known ends where the first one begins', 1, { epoch: 1, endOffset: 10 }],
  ['an epoch that is not known yet has no end', 6, undefined],
  ['no epoch has no end', -1, undefined],
]
for (const [what, epoch, expected] of ends) test(what, () => assert.deepEqual(lineage().endOffsetFor(epoch, 50), expected))

test('nothing is known of epochs in an empty log', () => {
  assert.equal(new EpochCache().endOffsetFor(0, 0), undefined)
  assert.equal(new EpochCache().latest, undefined)
})

test('a record belongs to the last epoch that began at or before it', () => {
  assert.deepEqual([9, 10, 19, 20, 34, 35, 99].map((offset) => lineage().epochAt(offset)), [undefined, 2, 2, 4, 4, 5, 5])
})

const cuts: readonly (readonly [endOffset: number, epochs: readonly number[]])[] = [
  [60, [2, 4, 5]], [36, [2, 4, 5]], [35, [2, 4]], [21, [2, 4]], [20, [2]], [10, []], [0, []],
]
for (const [endOffset, epochs] of cuts) {
  test(`cut at ${endOffset} it knows ${epochs.length} epochs: one that began at the very end has no record left`, () => {
    const cache = lineage()
    cache.truncateFromEnd(endOffset)
    assert.deepEqual(cache.starts.map(({ epoch }) => epoch), epochs)
  })
}

const starts: readonly (readonly [startOffset: number, expected: readonly (readonly [number, number])[]])[] = [
  [5, [[2, 10], [4, 20], [5, 35]]], [10, [[2, 10], [4, 20], [5, 35]]], [15, [[2, 15], [4, 20], [5, 35]]], [20, [[4, 20], [5, 35]]],
  [30, [[4, 30], [5, 35]]], [99, [[5, 99]]],
]
for (const [startOffset, expected] of starts) {
  test(`from ${startOffset} on the epoch there begins there, and what ended before is gone`, () => {
    const cache = lineage()
    cache.truncateFromStart(startOffset)
    assert.deepEqual(cache.starts.map(({ epoch, startOffset: at }) => [epoch, at]), expected)
  })
}

const allowed: readonly (readonly [epoch: number, offset: number, expected: boolean])[] = [
  [2, 10, true], [2, 19, true], [4, 19, false], [2, 20, false], [4, 20, true], [6, 40, true], [4, 40, false], [1, 5, true], [2, 5, true], [3, 5, false],
]
for (const [epoch, offset, expected] of allowed) {
  test(`a batch of epoch ${epoch} ${expected ? 'can' : 'cannot'} lie at ${offset}`, () => assert.equal(lineage().allows(epoch, offset), expected))
}
