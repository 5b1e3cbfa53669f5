import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../broker/protocol/crc32c.ts'

/** Bit by bit, as the RFC has it. */
function slowly(bytes: Uint8Array, initial = 0): number {
  let crc = ~initial
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0)
  }
  return ~crc >>> 0
}

describe('crc32c', () => {
  // RFC 3720, B.4.
  for (const [name, bytes, expected] of [
    ['32 zeros', Buffer.alloc(32), 0x8a91_36aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8_ab43],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd_794e],
    ['"123456789"', Buffer.from('123456789'), 0xe306_9283],
    ['nothing', Buffer.alloc(0), 0],
  ] as const) {
    test(`of ${name} is that of the RFC`, () => assert.equal(crc32c(bytes), expected))
  }

  test('is the same on both sides of where native code takes over', () => {
    for (const length of [0, 1, 198, 199, 200, 201, 5000]) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 7) & 0xff))
      assert.equal(crc32c(bytes), slowly(bytes))
    }
  })

  test('may be made in pieces', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat({ max: 600 }), (bytes, cut) => {
      assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), slowly(bytes))
    }))
  })
})
