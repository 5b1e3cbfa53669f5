// MurmurHash3 x86 128 (Appleby, public domain). Every step of it can be undone, so that keys of one length up to 16 bytes never share
// a hash at all; of others two do by chance once in 2^128 pairs. It is no defence against keys that are made to collide,
// but who may write such keys to a topic may as well delete the others. MD5 through Node costs 2 µs a key, this a tenth.

const c1 = 0x239b961b
const c2 = 0xab0e9789 | 0
const c3 = 0x38b34ae5
const c4 = 0xa1e38b93 | 0

/** Writes the 128 bits of `bytes[start, end)` to the four words of `into`. Allocates nothing. */
export function hashKey(bytes: Uint8Array, start: number, end: number, into: Int32Array): void {
  const length = end - start
  let h1 = 0
  let h2 = 0
  let h3 = 0
  let h4 = 0
  let at = start
  for (; at + 16 <= end; at += 16) {
    h1 = (Math.imul(rotate(h1 ^ lane1(wordAt(bytes, at)), 19) + h2 | 0, 5) + 0x561ccd1b) | 0
    h2 = (Math.imul(rotate(h2 ^ lane2(wordAt(bytes, at + 4)), 17) + h3 | 0, 5) + 0x0bcaa747) | 0
    h3 = (Math.imul(rotate(h3 ^ lane3(wordAt(bytes, at + 8)), 15) + h4 | 0, 5) + 0x96cd1c35) | 0
    h4 = (Math.imul(rotate(h4 ^ lane4(wordAt(bytes, at + 12)), 13) + h1 | 0, 5) + 0x32ac3b17) | 0
  }
  h1 ^= lane1(tailWord(bytes, at, end))
  h2 ^= lane2(tailWord(bytes, at + 4, end))
  h3 ^= lane3(tailWord(bytes, at + 8, end))
  h4 ^= lane4(tailWord(bytes, at + 12, end))
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = finish((h2 + h1) | 0)
  h3 = finish((h3 + h1) | 0)
  h4 = finish((h4 + h1) | 0)
  h1 = finish(h1)
  h1 = (h1 + h2 + h3 + h4) | 0
  into[0] = h1
  into[1] = h2 + h1
  into[2] = h3 + h1
  into[3] = h4 + h1
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** What of a word lies before the end; 0 behind it, which leaves a hash as it is. */
function tailWord(bytes: Uint8Array, at: number, end: number): number {
  let word = 0
  for (let index = Math.min(end, at + 4) - 1; index >= at; index--) word = (word << 8) | bytes[index]!
  return word
}

function lane1(word: number): number {
  return Math.imul(rotate(Math.imul(word, c1), 15), c2)
}
function lane2(word: number): number {
  return Math.imul(rotate(Math.imul(word, c2), 16), c3)
}
function lane3(word: number): number {
  return Math.imul(rotate(Math.imul(word, c3), 17), c4)
}
function lane4(word: number): number {
  return Math.imul(rotate(Math.imul(word, c4), 18), c1)
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function finish(word: number): number {
  let mixed = word ^ (word >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
