import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { decodeFooter, encodeTrailer, type ObjectFooter, sectionIn } from '../../broker/tier/object-format.ts'
import {
  decodeAborted, decodeChecksums, decodeEpochs, decodeOffsets, decodeTimes,
  encodeAborted, encodeChecksums, encodeEpochs, encodeOffsets, encodeTimes,
} from '../../broker/tier/object-sections.ts'
import { TierError } from '../../broker/tier/tier-error.ts'

const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER - 2 ** 33 })

/** A strictly ascending list from a start and its steps. */
const ascending = (start: fc.Arbitrary<number>) => {
  return fc.tuple(start, fc.array(fc.integer({ min: 1, max: 2 ** 26 }), { maxLength: 30 }))
    .map(([first, steps]) => steps.reduce((list, step) => [...list, list.at(-1)! + step], [first]))
}

const transaction = fc.record({ producerId: offset, firstOffset: offset, span: fc.nat(1000) })
const aborted = fc.array(transaction.map(({ producerId, firstOffset, span }) => ({
  producerId, firstOffset, lastOffset: firstOffset + span, lastStableOffset: firstOffset + span + 1,
})), { maxLength: 20 })

const object = fc.record({
  offsets: ascending(offset), positions: ascending(fc.constant(0)), timestamps: ascending(offset),
  epochs: ascending(fc.nat(1000)),
  aborted, producers: fc.uint8Array({ maxLength: 100 }), records: fc.nat(1_000_000),
  maxTimestamp: fc.integer({ min: -1, max: 2 ** 45 }),
  epoch: fc.nat(2 ** 31 - 1), generation: fc.nat(1000), partition: fc.nat(2 ** 31 - 1),
  topicId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
}).map((made) => {
  const zip = <T>(left: readonly number[], right: readonly number[], pair: (one: number, other: number) => T) =>
    left.slice(0, right.length).map((one, index) => pair(one, right[index]!))
  const head: Omit<ObjectFooter, 'sections'> = {
    topicId: Buffer.from(made.topicId).toString('base64url'), partition: made.partition,
    epoch: made.epoch, generation: made.generation,
    baseOffset: made.offsets[0]!, endOffset: made.offsets.at(-1)! + 1, batchCount: made.offsets.length, recordCount: made.records,
    batchesBytes: made.positions.at(-1)! + 61, batchesCrc32c: made.records,
    maxTimestamp: made.maxTimestamp, sealedAt: made.records,
  }
  return {
    head, offsets: zip(made.offsets, made.positions, (one, position) => ({ offset: one, position })),
    times: zip(made.timestamps, made.offsets, (timestamp, one) => ({ timestamp, offset: one })),
    epochs: zip(made.epochs, made.offsets, (epoch, startOffset) => ({ epoch, startOffset })),
    aborted: made.aborted, producers: Buffer.from(made.producers),
    // Chunks of a sixteenth of the batches, so that there are sixteen of them, or fewer.
    checksums: checksumsOf(head.batchesBytes),
  }
})

function checksumsOf(batchesBytes: number) {
  const chunkBytes = Math.ceil(batchesBytes / 16)
  return { chunkBytes, crcs: Array.from({ length: Math.ceil(batchesBytes / chunkBytes) }, (_, index) => index * 999) }
}

type Made = typeof object extends fc.Arbitrary<infer T> ? T : never

function encode({ head, offsets, times, epochs, aborted, producers, checksums }: Made) {
  return encodeTrailer(head, {
    offsets: encodeOffsets(offsets), times: encodeTimes(times), epochs: encodeEpochs(epochs),
    aborted: encodeAborted(aborted), producers,
    checksums: encodeChecksums(checksums),
  })
}

suite('object format', () => {
  test('whatever is encoded is decoded to the same, section by section', () => {
    fc.assert(fc.property(object, (made) => {
      const { bytes, sections } = encode(made)
      const { batchesBytes } = made.head
      const footer = decodeFooter(bytes, batchesBytes + bytes.length)
      assert.deepEqual(footer, { ...made.head, sections })
      const section = (kind: string) => sectionIn(bytes, batchesBytes, sections.find((one) => one.kind === kind)!)
      assert.deepEqual(decodeOffsets(section('offsets'), made.head), made.offsets)
      assert.deepEqual(decodeTimes(section('times'), made.head), made.times)
      assert.deepEqual(decodeEpochs(section('epochs')), made.epochs)
      assert.deepEqual(decodeAborted(section('aborted')), made.aborted)
      assert.deepEqual(decodeChecksums(section('checksums'), made.head), made.checksums)
      assert.deepEqual(section('producers'), made.producers)
    }))
  })

  test('a footer with any byte changed, or cut anywhere, is refused as damaged', () => {
    fc.assert(fc.property(object, fc.nat(), fc.integer({ min: 1, max: 255 }), (made, at, change) => {
      const { bytes, sections } = encode(made)
      const start = sections.at(-1)!.position + sections.at(-1)!.length - made.head.batchesBytes
      const damaged = Buffer.from(bytes)
      const position = start + (at % (bytes.length - start))
      damaged[position]! ^= change
      const objectBytes = made.head.batchesBytes + bytes.length
      // The version of the writer is for people to read; only the one of the oldest reader decides.
      const isVersion = position === bytes.length - 12 || position === bytes.length - 11
      if (!isVersion) assert.throws(() => decodeFooter(damaged, objectBytes), isDamaged)
      assert.throws(() => decodeFooter(bytes.subarray(0, position), objectBytes), isDamaged)
    }))
  })

  test('no bytes at all make a decoder throw anything but that they are damaged', () => {
    const bounds = { baseOffset: 0, endOffset: Number.MAX_SAFE_INTEGER, batchesBytes: Number.MAX_SAFE_INTEGER }
    const decoders = [
      (bytes: Buffer) => decodeOffsets(bytes, bounds), (bytes: Buffer) => decodeTimes(bytes, bounds),
      (bytes: Buffer) => decodeChecksums(bytes, { ...bounds, batchesBytes: 100 }), decodeEpochs, decodeAborted,
      (bytes: Buffer) => decodeFooter(bytes, bytes.length),
    ]
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      for (const decode of decoders) {
        try {
          decode(Buffer.from(noise))
        } catch (cause) {
          assert.ok(isDamaged(cause))
        }
      }
    }), { numRuns: 500 })
  })

  test('a footer whose checksum holds and whose numbers cannot be is refused', () => {
    const head: ObjectFooter = {
      topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partition: 0, baseOffset: 10, endOffset: 20, epoch: 1, generation: 0,
      batchCount: 1, recordCount: 1,
      batchesBytes: 100, batchesCrc32c: 0, maxTimestamp: 5, sealedAt: 6, sections: [],
    }
    const none = Buffer.alloc(0)
    const content = { offsets: none, times: none, epochs: none, aborted: none, checksums: none, producers: none }
    const cases: Partial<ObjectFooter>[] = [
      { baseOffset: -1 }, { endOffset: 10 }, { endOffset: 9 }, { batchesBytes: 0 }, { batchesBytes: 101 },
      { batchCount: 0 }, { epoch: -1 },
      { generation: -1 }, { partition: -1 }, { maxTimestamp: -2 }, { sealedAt: -1 }, { recordCount: -1 },
    ]
    assert.ok(decodeFooter(encodeTrailer(head, content).bytes, 100 + encodeTrailer(head, content).bytes.length))
    for (const change of cases) {
      const { bytes } = encodeTrailer({ ...head, ...change }, content)
      assert.throws(() => decodeFooter(bytes, 100 + bytes.length), isDamaged, JSON.stringify(change))
    }
  })

  test('index entries that leave the segment or go back are refused', () => {
    const bounds = { baseOffset: 100, endOffset: 200, batchesBytes: 1000 }
    const offsets = [
      [], [[100, 1]], [[99, 0]], [[100, 0], [200, 5]], [[100, 0], [100, 5]], [[100, 0], [101, 0]],
      [[100, 0], [101, 1000]], [[100, 0], [101, 9], [102, 8]],
    ]
    for (const rows of offsets) {
      const bytes = encodeOffsets(rows.map(([one, position]) => ({ offset: one!, position: position! })))
      assert.throws(() => decodeOffsets(bytes, bounds), isDamaged, JSON.stringify(rows))
    }
    const times = [[[5, 99]], [[5, 200]], [[5, 100], [5, 101]], [[5, 100], [6, 100]]]
    for (const rows of times) {
      const bytes = encodeTimes(rows.map(([timestamp, one]) => ({ timestamp: timestamp!, offset: one! })))
      assert.throws(() => decodeTimes(bytes, bounds), isDamaged, JSON.stringify(rows))
    }
  })
})

function isDamaged(cause: unknown): boolean {
  return cause instanceof TierError && cause.code === 'damaged'
}
