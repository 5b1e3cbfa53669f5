import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { batchesIn } from '../../broker/protocol/record-batch.ts'
import { cutBatches } from '../../broker/tier/batch-cut.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
import { batch } from './batches.ts'

const shape = fc.record({ gap: fc.nat(5), records: fc.integer({ min: 1, max: 5 }), valueBytes: fc.nat(60) })
const shapes = fc.array(shape, { minLength: 1, maxLength: 12 })

function segmentOf(given: typeof shapes extends fc.Arbitrary<infer T> ? T : never): { bytes: Buffer; endOffset: number } {
  let offset = 0
  const batches = given.map(({ gap, records, valueBytes }) => {
    const made = batch({ baseOffset: offset + gap, timestamps: Array.from({ length: records }, () => 1), valueBytes })
    offset += gap + records
    return made
  })
  return { bytes: Buffer.concat(batches), endOffset: offset }
}

suite('cutting batches out of a window', () => {
  test('takes exactly the whole batches from the offset on that fit, and says how to go on', () => {
    const request = fc.record({
      offset: fc.nat(80), endOffset: fc.nat(90), bytesMax: fc.nat(1500), minOneBatch: fc.boolean(), windowBytes: fc.nat(3000),
    })
    fc.assert(fc.property(shapes, request, (given, { windowBytes, ...want }) => {
      const { bytes, endOffset } = segmentOf(given)
      const window = bytes.subarray(0, windowBytes)
      const cut = cutBatches(window, want, { bounds: { baseOffset: 0, endOffset }, batchBytesMax: 10_000 })
      const all = [...batchesIn(bytes)]
      const wanted = all.filter((one) => one.endOffset > want.offset && one.baseOffset < want.endOffset)
      const taken = [...batchesIn(window.subarray(cut.start, cut.end))]
      assert.deepEqual(taken.map((one) => one.baseOffset), wanted.slice(0, taken.length).map((one) => one.baseOffset))
      assert.equal(cut.nextOffset, taken.at(-1)?.endOffset ?? want.offset)
      const length = cut.end - cut.start
      assert.ok(length <= want.bytesMax || (taken.length === 1 && want.minOneBatch))
      const next = wanted[taken.length]
      if (next === undefined) return
      const fits = next.length <= want.bytesMax - length || (taken.length === 0 && want.minOneBatch)
      const position = all.filter((one) => one.baseOffset < next.baseOffset).reduce((total, one) => total + one.length, 0)
      const reachesOut = position + next.length > window.length
      if (fits) assert.ok(cut.neededBytes !== undefined && cut.neededBytes > window.length && reachesOut, 'more would fit')
      if (cut.neededBytes !== undefined) assert.ok(cut.neededBytes <= position + next.length)
    }))
  })

  test('a byte changed anywhere in what is taken is damage, and never served', () => {
    fc.assert(fc.property(shapes, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, change) => {
      const { bytes, endOffset } = segmentOf(given)
      const position = at % bytes.length
      bytes[position]! ^= change
      const want = { offset: 0, endOffset: Infinity, bytesMax: 1_000_000, minOneBatch: true }
      const before = batchStart(bytes, position)
      // Base offset and leader epoch lie before the checksum: here they are only held to be possible. The checksums of
      // chunks cover them.
      const isUnchecked = position - before < 8 || (position - before >= 12 && position - before < 16)
      try {
        const cut = cutBatches(bytes, want, { bounds: { baseOffset: 0, endOffset }, batchBytesMax: 10_000 })
        assert.ok(isUnchecked || cut.end <= before, 'it was served')
      } catch (cause) {
        assert.ok(cause instanceof TierError && cause.code === 'damaged')
      }
    }))
  })

  test('no bytes at all make it throw anything else, or read beyond them', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      try {
        const cut = cutBatches(Buffer.from(noise), { offset: 0, endOffset: Infinity, bytesMax: 100, minOneBatch: true }, {
          bounds: { baseOffset: 0, endOffset: 1000 }, batchBytesMax: 10_000,
        })
        assert.ok(cut.end <= noise.length)
      } catch (cause) {
        assert.ok(cause instanceof TierError && cause.code === 'damaged')
      }
    }), { numRuns: 500 })
  })
})

/** Where the batch begins in which `position` lies, going by lengths that may just have been changed there. */
function batchStart(bytes: Buffer, position: number): number {
  let start = 0
  for (const one of batchesIn(bytes)) {
    if (start + one.length > position) break
    start += one.length
  }
  return start
}
