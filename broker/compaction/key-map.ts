// Which offset is the newest of each key, in bounded memory: the hash of a key (128 bits) and an offset, 24 bytes a key, in
// open addressing. Nothing is made for a key beside that, so that millions of them cost a collector nothing.
//
//   hashes   | h0 h1 h2 h3 | h0 h1 h2 h3 | ...        slot of a key: h0 spread over the slots, then the next free one
//   offsets  | offset + 1  | 0: free     | ...
//
// It begins small and doubles. While it does, old and new table are there at once, and that counts against the limit too: a
// full map takes two thirds of the bytes.

import { hashKey } from './key-hash.ts'

const bytesPerSlot = 24
/** Behind this a free slot is too far away: 13 steps on average at four fifths, 50 at nine tenths. */
const loadMax = 0.8
const slotsAtFirst = 1024

export class KeyMap {
  readonly #slotsMax: number
  readonly #hash = new Int32Array(4)
  #hashes: Int32Array
  #offsets: Float64Array
  #slots: number
  #size = 0

  /** `bytesMax`: at least 36 KiB, what the first two tables take. */
  constructor({ bytesMax }: { readonly bytesMax: number }) {
    // With the one of half its slots beside it.
    const slotsMax = Math.floor(bytesMax / bytesPerSlot / 1.5)
    if (slotsMax < slotsAtFirst) throw new RangeError(`a map of keys in ${bytesMax} bytes`)
    this.#slotsMax = slotsMax
    // Halves of the most that there may be, so that the last step is a doubling too.
    this.#slots = slotsMax
    while (this.#slots >= slotsAtFirst * 2) this.#slots = Math.floor(this.#slots / 2)
    this.#hashes = new Int32Array(this.#slots * 4)
    this.#offsets = new Float64Array(this.#slots)
  }

  /** Keys. */
  get size(): number {
    return this.#size
  }

  /** Keys that have room within the limit. */
  get sizeMax(): number {
    return Math.floor(this.#slotsMax * loadMax)
  }

  /** Of the table as it is. */
  get bytes(): number {
    return this.#slots * bytesPerSlot
  }

  /** Takes note of the key in `bytes[start, end)`. False: it is not there, and there is no room for it. */
  put(bytes: Uint8Array, key: { readonly keyStart: number; readonly keyEnd: number }, offset: number): boolean {
    hashKey(bytes, key.keyStart, key.keyEnd, this.#hash)
    let slot = this.#find()
    if (this.#offsets[slot] === 0) {
      if (this.#size >= Math.floor(this.#slots * loadMax)) {
        if (!this.#grow()) return false
        slot = this.#find()
      }
      this.#size++
      for (let word = 0; word < 4; word++) this.#hashes[slot * 4 + word] = this.#hash[word]!
    }
    this.#offsets[slot] = offset + 1
    return true
  }

  /** The newest offset of the key; -1: it is not there. */
  get(bytes: Uint8Array, key: { readonly keyStart: number; readonly keyEnd: number }): number {
    hashKey(bytes, key.keyStart, key.keyEnd, this.#hash)
    return this.#offsets[this.#find()]! - 1
  }

  /** The slot with the hash that was made last, or the free one where it belongs. */
  #find(): number {
    const hashes = this.#hashes
    const offsets = this.#offsets
    const h0 = this.#hash[0]!
    const h1 = this.#hash[1]!
    const h2 = this.#hash[2]!
    const h3 = this.#hash[3]!
    let slot = this.#slotOf(h0)
    for (;;) {
      if (offsets[slot] === 0) return slot
      const at = slot * 4
      if (hashes[at] === h0 && hashes[at + 1] === h1 && hashes[at + 2] === h2 && hashes[at + 3] === h3) return slot
      if (++slot === this.#slots) slot = 0
    }
  }

  #slotOf(h0: number): number {
    return Math.floor(((h0 >>> 0) / 2 ** 32) * this.#slots)
  }

  #grow(): boolean {
    if (this.#slots * 2 > this.#slotsMax) return false
    const hashes = this.#hashes
    const offsets = this.#offsets
    // The last table is all that there may be: halving has rounded down.
    this.#slots = this.#slots * 4 > this.#slotsMax ? this.#slotsMax : this.#slots * 2
    this.#hashes = new Int32Array(this.#slots * 4)
    this.#offsets = new Float64Array(this.#slots)
    for (let from = 0; from < offsets.length; from++) {
      if (offsets[from] === 0) continue
      let slot = this.#slotOf(hashes[from * 4]!)
      while (this.#offsets[slot] !== 0) slot = slot + 1 === this.#slots ? 0 : slot + 1
      for (let word = 0; word < 4; word++) this.#hashes[slot * 4 + word] = hashes[from * 4 + word]!
      this.#offsets[slot] = offsets[from]!
    }
    return true
  }
}
