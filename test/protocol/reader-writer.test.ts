import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MalformedMessage, Reader } from '../../broker/protocol/reader.ts'
import { lengthOf, Writer } from '../../broker/protocol/writer.ts'

function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer(1)
  write(writer)
  const length = writer.length
  const bytes = Buffer.concat(writer.finish())
  assert.equal(length, bytes.length)
  return bytes
}

describe('an int64', () => {
  for (const [value, hex] of [
    [0, '0000000000000000'],
    [1, '0000000000000001'],
    [-1, 'ffffffffffffffff'],
    [-2, 'fffffffffffffffe'],
    [0xffff_ffff, '00000000ffffffff'],
    [0x1_0000_0000, '0000000100000000'],
    [-0x1_0000_0000, 'ffffffff00000000'],
    [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
    [Number.MIN_SAFE_INTEGER, 'ffe0000000000001'],
    [Infinity, '7fffffffffffffff'],
    [-Infinity, '8000000000000000'],
  ] as const) {
    test(`of ${value} is ${hex}, and back`, () => {
      assert.equal(written((writer) => writer.int64(value)).toString('hex'), hex)
      assert.equal(new Reader(Buffer.from(hex, 'hex')).int64(), value)
    })
  }

  test('beyond 2^53 is refused rather than rounded', () => {
    for (const hex of ['0020000000000000', 'ffe0000000000000', '7ffffffffffffffe', '8000000000000001', '0020000000000001']) {
      assert.throws(() => new Reader(Buffer.from(hex, 'hex')).int64(), MalformedMessage)
    }
    for (const value of [2 ** 53, -(2 ** 53), 0.5, NaN]) {
      assert.throws(() => written((writer) => writer.int64(value)), RangeError)
    }
  })

  test('is Kafka\'s, for every safe integer', () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => {
      const bytes = written((writer) => writer.int64(value))
      assert.equal(bytes.readBigInt64BE(), BigInt(value))
      assert.equal(new Reader(bytes).int64(), value)
    }))
  })
})

describe('an unsigned varint', () => {
  for (const [value, hex] of [
    [0, '00'], [1, '01'], [127, '7f'], [128, '8001'], [16_383, 'ff7f'], [16_384, '808001'], [2 ** 28, '8080808001'], [2 ** 32 - 1, 'ffffffff0f'],
  ] as const) {
    test(`of ${value} is ${hex}, and back`, () => {
      assert.equal(written((writer) => writer.uvarint(value)).toString('hex'), hex)
      assert.equal(new Reader(Buffer.from(hex, 'hex')).uvarint(), value)
    })
  }

  test('that is longer than its value needs is read, as Kafka does', () => {
    assert.equal(new Reader(Buffer.from('8100', 'hex')).uvarint(), 1)
    assert.equal(new Reader(Buffer.from('8080808000', 'hex')).uvarint(), 0)
  })

  test('beyond 32 bits, or without an end, is refused', () => {
    for (const hex of ['ffffffff10', 'ffffffffff', 'ffffffffff01', '8080808080', '80', 'ffff', '']) {
      assert.throws(() => new Reader(Buffer.from(hex, 'hex')).uvarint(), MalformedMessage)
    }
  })

  test('is read back, for every value of 32 bits', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
      assert.equal(new Reader(written((writer) => writer.uvarint(value))).uvarint(), value)
    }))
  })
})

describe('a string', () => {
  test('is read back, whatever it is made of', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (value) => {
      const bytes = written((writer) => writer.string(value))
      const reader = new Reader(bytes)
      assert.equal(reader.string(reader.int16()), value)
      const compact = new Reader(written((writer) => writer.compactString(value)))
      assert.equal(compact.string(compact.uvarint() - 1), value)
    }))
  })

  test('of bytes that are no UTF-8 does not throw', () => {
    assert.equal(new Reader(Buffer.from([0xff, 0xfe])).string(2), '\ufffd\ufffd')
  })

  test('of more than 32,767 bytes does not fit behind a length of 16 bits', () => {
    assert.throws(() => written((writer) => writer.string('ä'.repeat(16_384))), RangeError)
    assert.equal(written((writer) => writer.string('a'.repeat(32_767))).length, 2 + 32_767)
    assert.equal(written((writer) => writer.compactString('ä'.repeat(16_384))).length, 3 + 32_768)
  })
})

describe('a uuid', () => {
  test('is 16 bytes on the wire and 22 characters of base64url here', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (given) => {
      const value = new Reader(Buffer.from(given)).uuid()
      assert.match(value, /^[\w-]{22}$/)
      assert.equal(value, Buffer.from(given).toString('base64url'))
      assert.deepEqual(written((writer) => writer.uuid(value)), Buffer.from(given))
    }))
  })

  test('that is none is not written', () => {
    for (const value of ['', 'AAAA', 'AAAAAAAAAAAAAAAAAAAA']) assert.throws(() => written((writer) => writer.uuid(value)), TypeError)
  })
})

describe('numbers of fixed width', () => {
  test('are read back at their limits', () => {
    for (const [name, values] of [
      ['int8', [0, 127, -128, -1]], ['int16', [0, 32_767, -32_768]], ['uint16', [0, 65_535]],
      ['int32', [0, 0x7fff_ffff, -0x8000_0000]], ['float64', [0, -0.1, 1.7e308, Infinity]],
    ] as const) {
      for (const value of values) {
        const bytes = written((writer) => writer[name](value))
        assert.equal(new Reader(bytes)[name](), value)
        assert.throws(() => new Reader(bytes.subarray(1))[name](), MalformedMessage)
      }
    }
  })

  test('that do not fit are an error of ours', () => {
    for (const [name, value] of [['int8', 128], ['int16', 32_768], ['uint16', 65_536], ['uint16', -1], ['int32', 2 ** 31]] as const) {
      assert.throws(() => written((writer) => writer[name](value)), RangeError)
    }
  })

  test('any byte but 0 is true', () => {
    assert.deepEqual([0, 1, 2, 255].map((byte) => new Reader(Buffer.of(byte)).bool()), [false, true, true, true])
  })
})

describe('a reader', () => {
  test('moves past nothing that is not there', () => {
    const reader = new Reader(Buffer.alloc(4))
    for (const length of [5, -1, 2 ** 31, Infinity]) {
      assert.throws(() => reader.take(length), MalformedMessage, `${length}`)
      assert.equal(reader.position, 0)
    }
    assert.equal(reader.take(4), 0)
    assert.equal(reader.left, 0)
  })

  test('reads buffers as views', () => {
    const bytes = Buffer.from([1, 2, 3, 4])
    const view = new Reader(bytes, 1).slice(2)
    bytes[1] = 9
    assert.deepEqual([...view], [9, 3])
  })

  test('passes over tagged fields, and not beyond the frame', () => {
    const reader = new Reader(Buffer.from([2, 0, 1, 9, 5, 2, 9, 9, 7]))
    reader.skipTags()
    assert.equal(reader.int8(), 7)
    for (const input of [[1], [1, 0], [1, 0, 1], [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0], [1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]]) {
      assert.throws(() => new Reader(Buffer.from(input)).skipTags(), MalformedMessage)
    }
  })
})

describe('a writer', () => {
  test('gives record batches on as they are, between what stands around them', () => {
    const [one, other] = [Buffer.from('one'), Buffer.from('other')]
    const writer = new Writer()
    writer.int16(1)
    writer.appendByReference([one, other])
    writer.int16(2)
    const pieces = writer.finish()
    assert.equal(pieces[1], one)
    assert.equal(pieces[2], other)
    assert.deepEqual(Buffer.concat(pieces), Buffer.from('\u0000\u0001oneother\u0000\u0002', 'latin1'))
    assert.equal(lengthOf(pieces), 12)
  })

  test('keeps what was handed out when it grows', () => {
    const writer = new Writer(4)
    writer.int32(1)
    writer.appendByReference([Buffer.of(9)])
    for (let index = 0; index < 1000; index++) writer.int32(index)
    writer.appendByReference([Buffer.of(8)])
    for (let index = 0; index < 1000; index++) writer.int32(index)
    const bytes = Buffer.concat(writer.finish())
    assert.equal(bytes.length, 4 + 1 + 4000 + 1 + 4000)
    assert.equal(bytes[4], 9)
    assert.equal(bytes[4005], 8)
    for (let index = 0; index < 1000; index++) {
      assert.equal(bytes.readInt32BE(5 + 4 * index), index)
      assert.equal(bytes.readInt32BE(4006 + 4 * index), index)
    }
  })

  test('writes the same as two that are written one after the other, whatever lies open', () => {
    const [one, other] = [new Writer(), new Writer()]
    one.int32(1)
    other.int32(2)
    one.append(Buffer.from('abc'))
    other.appendByReference([Buffer.from('def')])
    one.compactString('ghi')
    const [first, second] = [Buffer.concat(one.finish()), Buffer.concat(other.finish())]
    assert.equal(first.toString('latin1'), '\u0000\u0000\u0000\u0001abc\u0004ghi')
    assert.equal(second.toString('latin1'), '\u0000\u0000\u0000\u0002def')
  })
})
