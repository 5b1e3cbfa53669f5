import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { combineCrc32c } from '../../broker/protocol/crc32c-combine.ts'

test('the checksum of two pieces is that of both together', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (first, second) => {
    const both = Buffer.concat([first, second])
    assert.equal(combineCrc32c(crc32c(first), crc32c(second), second.length), crc32c(both))
  }))
})

test('also of many, of nothing, and of long ones', () => {
  const bytes = Buffer.alloc(3_000_001, 'what is long')
  for (const piece of [1, 4096, 65_536, 262_144, 999_999]) {
    let crc = crc32c(bytes.subarray(0, 0))
    for (let at = 0; at < bytes.length; at += piece) {
      const next = bytes.subarray(at, at + piece)
      crc = combineCrc32c(crc, crc32c(next), next.length)
    }
    assert.equal(crc, crc32c(bytes))
  }
})
