import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hashKey } from '../../broker/compaction/key-hash.ts'
import { KeyMap } from '../../broker/compaction/key-map.ts'
import { SeededRandom } from '../support/seeded-random.ts'

function hex(text: string): string {
  const bytes = Buffer.from(`..${text}.`)
  const words = new Int32Array(4)
  hashKey(bytes, 2, bytes.length - 1, words)
  return [...words].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

function whole(text: string): [Buffer, { keyStart: number; keyEnd: number }] {
  const bytes = Buffer.from(text)
  return [bytes, { keyStart: 0, keyEnd: bytes.length }]
}

describe('the hash of a key', () => {
  test('is MurmurHash3 x86 128 with seed 0', () => {
    // The second was taken when the code, given a seed for that, came to SMHasher's verification value of 0xb3ece62a.
    assert.equal(hex(''), '0'.repeat(32))
    assert.equal(hex('I will not buy this record, it is scratched.'), 'a0a9683b25ac5e40d9af2895890dddf5')
  })

  test('is another one for each of many short keys', () => {
    const seen = new Set(Array.from({ length: 50_000 }, (_, index) => hex(`k${index.toString(36)}`)))
    for (let length = 0; length < 64; length++) seen.add(hex('\0'.repeat(length)))
    assert.equal(seen.size, 50_000 + 64)
  })
})

describe('a map of keys', () => {
  test('says what a Map says, also of empty and of long keys', () => {
    const random = new SeededRandom(7)
    const map = new KeyMap({ bytesMax: 4 * 1024 * 1024 })
    const model = new Map<string, number>()
    for (let offset = 0; offset < 40_000; offset++) {
      const key = random.chance(0.001) ? '' : `${'long'.repeat(random.below(3) * 10)}${random.below(12_000)}`
      assert.ok(map.put(...whole(key), offset))
      model.set(key, offset)
    }
    assert.equal(map.size, model.size)
    for (const [key, offset] of model) assert.equal(map.get(...whole(key)), offset)
    for (let index = 0; index < 1000; index++) assert.equal(map.get(...whole(`absent ${index}`)), -1)
  })

  test('holds offset 0 and offsets beyond 32 bits', () => {
    const map = new KeyMap({ bytesMax: 64 * 1024 })
    for (const offset of [0, 2 ** 40, 2 ** 53 - 2]) {
      assert.ok(map.put(...whole(`at ${offset}`), offset))
      assert.equal(map.get(...whole(`at ${offset}`)), offset)
    }
  })

  test('is full within its bytes, takes known keys then, and loses none', () => {
    for (const bytesMax of [36 * 1024 + 100, 100_000, 262_144, 1_000_001]) {
      const map = new KeyMap({ bytesMax })
      let keys = 0
      while (map.put(...whole(`key ${keys}`), keys)) keys++
      assert.equal(map.size, keys)
      assert.ok(keys >= map.sizeMax - 1 && keys <= map.sizeMax, `${keys} of ${map.sizeMax} in ${bytesMax}`)
      assert.ok(map.bytes * 1.5 <= bytesMax + 64)
      assert.ok(keys * 24 > bytesMax * 0.5)
      assert.ok(map.put(...whole('key 0'), 99))
      assert.equal(map.get(...whole('key 0')), 99)
      for (let index = 1; index < keys; index++) assert.equal(map.get(...whole(`key ${index}`)), index)
      assert.equal(map.get(...whole('one too many')), -1)
    }
  })

  test('is not made with less than its first tables take', () => {
    assert.throws(() => new KeyMap({ bytesMax: 30_000 }), RangeError)
  })
})
