import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { compressSync as snappySync, uncompressSync } from 'snappy'
import { compress } from '../../broker/protocol/compression/compress.ts'
import { decompress } from '../../broker/protocol/compression/decompress.ts'
import { MalformedMessage } from '../../broker/protocol/reader.ts'
import { compressionNames } from '../../broker/protocol/record-batch.ts'
import { compressors, xerial } from '../support/compressors.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const bytesMax = 16 * 1024 * 1024

/** Runs, repetitions near and far, and noise: every form of a copy and of a literal. */
function content(length: number, seed = 1): Buffer {
  const random = new SeededRandom(seed)
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length;) {
    const size = Math.min(length - at, random.pick([1, 3, 17, 61, 300, 5000]))
    if (at > 0 && random.chance(0.6)) {
      const distance = 1 + random.below(Math.min(at, random.pick([1, 4, 40, 3000, 70_000])))
      for (let index = 0; index < size; index++) bytes[at + index] = bytes[at + index - distance]!
    } else random.bytes(size).copy(bytes, at)
    at += size
  }
  return bytes
}

const samples: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.of(7)],
  ['text', Buffer.from('a short text, a short text, and no more than a short text')],
  ['zeros', Buffer.alloc(100_000)],
  ['noise', new SeededRandom(5).bytes(70_000)],
  ['a mixture', content(200_000)],
  ['several blocks of whatever size', content(4_500_000)],
]

describe('what a client compressed', () => {
  for (const compressor of compressors) {
    test(`with ${compressor.name} is opened`, () => {
      for (const [name, bytes] of samples) {
        const opened = decompress(compressor.compression, compressor.pack(bytes), bytesMax)
        assert.ok(opened.equals(bytes), name)
      }
      fc.assert(fc.property(fc.nat({ max: 5000 }), fc.noShrink(fc.nat()), (length, seed) => {
        const bytes = content(length, seed)
        assert.ok(decompress(compressor.compression, compressor.pack(bytes), bytesMax).equals(bytes))
      }), { numRuns: 30 })
    })

    test(`with ${compressor.name} is opened up to the limit, and not beyond`, () => {
      if (compressor.compression === 'none') return
      for (const [name, bytes] of samples.slice(1, -1)) {
        const packed = compressor.pack(bytes)
        assert.equal(decompress(compressor.compression, packed, bytes.length).length, bytes.length, name)
        if (bytes.length > 1) assert.throws(() => decompress(compressor.compression, packed, bytes.length - 1), MalformedMessage, name)
      }
    })

    test(`with ${compressor.name} and then cut off or changed is refused or opened, never anything else`, () => {
      const packed = compressor.pack(content(250, 3))
      for (let length = 0; length < packed.length; length++) attempt(compressor.compression, packed.subarray(0, length))
      for (let at = 0; at < packed.length; at++) {
        for (const change of [1, 0x80, 0xff]) {
          const changed = Buffer.from(packed)
          changed[at] = changed[at]! ^ change
          attempt(compressor.compression, changed)
        }
      }
    })
  }
})

/** The content where there is one. Anything but a refusal fails the test. */
function attempt(compression: Parameters<typeof decompress>[0], input: Buffer, limit = 100_000): Buffer | undefined {
  try {
    const opened = decompress(compression, input, limit)
    assert.ok(opened.length <= Math.max(limit, compression === 'none' ? input.length : 0))
    return opened
  } catch (cause) {
    assert.ok(cause instanceof MalformedMessage, String(cause))
    return undefined
  }
}

describe('a bomb', () => {
  const zeros = Buffer.alloc(64 * 1024 * 1024)
  for (const [compression, bomb] of [
    ['gzip', gzipSync(zeros)], ['zstd', zstdCompressSync(zeros)], ['snappy', snappySync(zeros)], ['snappy', xerial(zeros)], ['lz4', compressFrameSync(zeros)],
  ] as const) {
    test(`of ${compression} is refused at the limit`, () => {
      assert.throws(() => decompress(compression, bomb, 1024 * 1024), MalformedMessage)
    })
  }
})

describe('snappy', () => {
  test('agrees with the reference on what can be opened', () => {
    const packed = snappySync(content(400, 9))
    const random = new SeededRandom(13)
    let agreed = 0
    for (let round = 0; round < 2000; round++) {
      const changed = Buffer.from(packed)
      for (let count = random.between(1, 3); count > 0; count--) changed[random.below(changed.length)] = random.below(256)
      const ours = attempt('snappy', changed)
      let theirs: Buffer | undefined
      try {
        theirs = uncompressSync(changed, { asBuffer: true }) as Buffer
      } catch {
        theirs = undefined
      }
      if (ours === undefined || theirs === undefined) assert.equal(ours, theirs === undefined || theirs.length > 100_000 ? undefined : theirs)
      else assert.ok(ours.equals(theirs))
      agreed++
    }
    assert.equal(agreed, 2000)
  })

  for (const [name, hex] of [
    ['with no length', ''],
    ['with a length that does not end', 'ffffffffffff'],
    ['that announces more than can come out of it', 'ffffff7f00'],
    ['with a copy from before the content', '04' + '0000' + '0905'],
    ['with a copy from nowhere', '0800' + '41' + '0100'],
    ['with a literal of 2^32 bytes', '08' + 'fcffffffff'],
    ['with less content than announced', '0500' + '41'],
    ['with more content than announced', '0104' + '4142'],
    ['with a block of negative length', '82534e4150505900' + '0000000100000001' + 'ffffffff00'],
    ['with a block that is not whole', '82534e4150505900' + '0000000100000001' + '0000000a0400'],
    ['with half a length of a block', '82534e4150505900' + '0000000100000001' + '0000'],
  ] as const) {
    test(`${name} is refused`, () => {
      assert.throws(() => decompress('snappy', Buffer.from(hex, 'hex'), bytesMax), MalformedMessage)
    })
  }
})

describe('zstd', () => {
  test('with anything behind its frame is refused, which would be lost otherwise', () => {
    const frame = zstdCompressSync(Buffer.from('records'))
    for (const behind of [frame, Buffer.of(0)]) {
      assert.throws(() => decompress('zstd', Buffer.concat([frame, behind]), bytesMax), MalformedMessage)
    }
  })
})

describe('lz4', () => {
  test('of several linked blocks is opened as the reference opens it', () => {
    const bytes = content(300_000, 21)
    const frame = compressFrameSync(bytes)
    assert.ok(decompressFrameSync(frame).equals(decompress('lz4', frame, bytesMax)))
  })

  const head = '04224d18' + '60' + '40' + '00'
  for (const [name, hex] of [
    ['with no header', '04224d1860'],
    ['with another magic', '05224d18604000' + '00000000'],
    ['of an unknown version', '04224d18a04000' + '00000000'],
    ['with a dictionary', '04224d18614000' + '00000000' + '00000000'],
    ['without an end', head],
    ['with a block beyond the frame', head + 'ff000000' + '00'],
    ['with a literal beyond the block', head + '02000000' + '5041' + '00000000'],
    ['with a length that does not end', head + '02000000' + 'f0ff' + '00000000'],
    ['with a copy without a distance', head + '03000000' + '104101' + '00000000'],
    ['with a copy from nowhere', head + '04000000' + '10410000' + '00000000'],
    ['with a copy from before the content', head + '04000000' + '10410200' + '00000000'],
  ] as const) {
    test(`${name} is refused`, () => {
      assert.throws(() => decompress('lz4', Buffer.from(hex, 'hex'), bytesMax), MalformedMessage)
    })
  }

  test('with a copy that overlaps itself repeats what it copies', () => {
    const run = Buffer.from(head + '06000000' + '2a6162' + '0200' + '00' + '00000000', 'hex')
    assert.equal(decompress('lz4', run, bytesMax).toString(), 'ab'.repeat(8))
  })
})

describe('what the broker compresses', () => {
  for (const compression of compressionNames) {
    for (const [name, bytes] of samples) {
      test(`${compression} of ${name} is opened by it again`, () => {
        const packed = compress(compression, bytes)
        assert.ok(decompress(compression, packed, bytesMax).equals(bytes))
        assert.ok(packed.length <= bytes.length * 1.01 + 64)
      })
    }
  }

  for (const [name, bytes] of samples) {
    test(`lz4 and snappy of ${name} are opened by the libraries of clients`, () => {
      assert.ok(bytes.length === 0 || decompressFrameSync(compress('lz4', bytes)).equals(bytes))
      // Java's framing is not the library's: its blocks are.
      const packed = compress('snappy', bytes)
      const blocks: Buffer[] = []
      for (let at = 16; at < packed.length; at += 4 + packed.readInt32BE(at)) {
        blocks.push(uncompressSync(packed.subarray(at + 4, at + 4 + packed.readInt32BE(at))) as Buffer)
      }
      assert.ok(Buffer.concat(blocks).equals(bytes))
    })
  }

  test('text that repeats itself gets much smaller with each', () => {
    const text = Buffer.from('{"user":"someone","action":"buys","amount":1234}\n'.repeat(400))
    for (const compression of compressionNames.slice(1)) assert.ok(compress(compression, text).length < text.length / 8, compression)
  })

  test('whatever it is given', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 50 }), (piece, times) => {
      const bytes = Buffer.concat(Array.from({ length: times }, () => piece))
      for (const compression of compressionNames) assert.ok(decompress(compression, compress(compression, bytes), bytesMax).equals(bytes))
    }), { numRuns: 200, seed: 11 })
  })
})
