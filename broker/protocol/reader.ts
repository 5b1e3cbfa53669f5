import type { Uuid } from '../runtime/random.ts'

/** The bytes are not what the protocol allows. The connection that sent them is closed. */
export class MalformedMessage extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'MalformedMessage'
  }
}

/** What a message may take in memory, beside twice what it takes on the wire, in bytes. */
const heapBytesFree = 8 * 1024 * 1024

/**
 * Reads the protocol's types from a frame. Every count and length is held against the bytes that are left before
 * anything is made of it. That is not enough: a JoinGroup protocol is 3 bytes on the wire and 200 as objects. So a reader also
 * has a budget of memory, and arrays are charged to it, by what their elements take at least, before they are made.
 */
export class Reader {
  readonly bytes: Buffer
  position: number
  #heapBytesLeft: number

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes
    this.position = position
    this.#heapBytesLeft = 2 * bytes.length + heapBytesFree
  }

  get left(): number {
    return this.bytes.length - this.position
  }

  /** Moves past `length` bytes and returns where they begin. */
  take(length: number): number {
    const start = this.position
    if (length < 0 || length > this.bytes.length - start) {
      throw new MalformedMessage(`${length} bytes announced with ${this.left} left`)
    }
    this.position = start + length
    return start
  }

  bool(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    const at = this.take(1)
    return (this.bytes[at]! << 24) >> 24
  }

  int16(): number {
    return (this.uint16() << 16) >> 16
  }

  uint16(): number {
    const at = this.take(2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  int32(): number {
    const at = this.take(4)
    const { bytes } = this
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }

  int64(): number {
    return readInt64(this.bytes, this.take(8))
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.take(8))
  }

  /** Unsigned base-128, at most five bytes, within 32 bits. */
  uvarint(): number {
    const first = this.bytes[this.take(1)]!
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let scale = 0x80; scale <= 0x1000_0000; scale *= 0x80) {
      const byte = this.bytes[this.take(1)]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break
        return value
      }
    }
    throw new MalformedMessage('a varint is longer than 32 bits')
  }

  uuid(): Uuid {
    const at = this.take(16)
    return this.bytes.toString('base64url', at, at + 16)
  }

  string(length: number): string {
    const at = this.take(length)
    return this.bytes.toString('utf8', at, at + length)
  }

  slice(length: number): Buffer {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** A count that the bytes left can hold, each element at least as long as said on the wire and in memory; -1 stands for null. */
  count(announced: number, least: { readonly wireBytes: number; readonly heapBytes: number }): number {
    if (announced < -1 || announced > this.left / least.wireBytes) {
      throw new MalformedMessage(`${announced} elements announced with ${this.left} bytes left`)
    }
    if (announced <= 0) return announced
    this.#heapBytesLeft -= announced * least.heapBytes
    if (this.#heapBytesLeft < 0) throw new MalformedMessage(`${announced} elements take more memory than ${this.bytes.length} bytes may`)
    return announced
  }

  /** Passes over tagged fields that this version does not know. */
  skipTags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint()
      this.take(this.uvarint())
    }
  }
}

/** The widest int64 stands for "none" in a few fields, and reads as Infinity. */
export function readInt64(bytes: Buffer, at: number): number {
  const high = bytes.readInt32BE(at)
  const low = bytes.readUInt32BE(at + 4)
  const value = high * 0x1_0000_0000 + low
  if (Number.isSafeInteger(value)) return value
  if (high === 0x7fff_ffff && low === 0xffff_ffff) return Infinity
  if (high === -0x8000_0000 && low === 0) return -Infinity
  throw new MalformedMessage('an int64 is beyond 2^53')
}
