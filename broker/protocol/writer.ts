/**
 * Writes the protocol's types into a buffer that grows, and passes record batches through by reference: `finish`
 * returns the pieces in order, ready for one gathering write. A number that does not fit its type throws `RangeError`:
 * it is ours, so that is a defect.
 */
export class Writer {
  /** Small ones share Node's pool: a buffer of its own for every reply costs more than writing it. */
  #bytes: Buffer
  #position = 0
  /** Where the piece that is being written starts; what lies before was handed out. */
  #pieceStart = 0
  #pieces: Uint8Array[] = []
  #piecesLength = 0

  constructor(sizeHint = 512) {
    this.#bytes = Buffer.allocUnsafe(sizeHint)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#piecesLength + this.#position - this.#pieceStart
  }

  #room(length: number): number {
    const start = this.#position
    if (start + length > this.#bytes.length) return this.#grow(length)
    this.#position = start + length
    return start
  }

  #grow(length: number): number {
    const written = this.#position - this.#pieceStart
    const bigger = Buffer.allocUnsafeSlow(Math.max((written + length) * 2, 4096))
    this.#bytes.copy(bigger, 0, this.#pieceStart, this.#position)
    this.#bytes = bigger
    this.#position = written + length
    this.#pieceStart = 0
    return written
  }

  bool(value: boolean): void {
    const at = this.#room(1)
    this.#bytes[at] = value ? 1 : 0
  }

  int8(value: number): void {
    if (value !== (value << 24) >> 24) throw new RangeError(`not an int8: ${value}`)
    const at = this.#room(1)
    this.#bytes[at] = value
  }

  int16(value: number): void {
    if (value !== (value << 16) >> 16) throw new RangeError(`not an int16: ${value}`)
    this.#twoBytes(value)
  }

  uint16(value: number): void {
    if (value !== (value & 0xffff)) throw new RangeError(`not a uint16: ${value}`)
    this.#twoBytes(value)
  }

  #twoBytes(value: number): void {
    const at = this.#room(2)
    const bytes = this.#bytes
    bytes[at] = value >> 8
    bytes[at + 1] = value
  }

  int32(value: number): void {
    if (value !== (value | 0)) throw new RangeError(`not an int32: ${value}`)
    const at = this.#room(4)
    const bytes = this.#bytes
    bytes[at] = value >> 24
    bytes[at + 1] = value >> 16
    bytes[at + 2] = value >> 8
    bytes[at + 3] = value
  }

  int64(value: number): void {
    const at = this.#room(8)
    writeInt64(this.#bytes, at, value)
  }

  float64(value: number): void {
    const at = this.#room(8)
    this.#bytes.writeDoubleBE(value, at)
  }

  uvarint(value: number): void {
    if (value < 0x80) {
      const at = this.#room(1)
      this.#bytes[at] = value
      return
    }
    let left = value
    for (; left > 0x7f; left = Math.floor(left / 128)) {
      const at = this.#room(1)
      this.#bytes[at] = (left % 128) | 0x80
    }
    const at = this.#room(1)
    this.#bytes[at] = left
  }

  uuid(value: string): void {
    const at = this.#room(16)
    if (this.#bytes.write(value, at, 16, 'base64url') !== 16) throw new TypeError(`not a uuid: ${value}`)
  }

  /** UTF-8 behind a length of 16 bits, as before flexible versions. */
  string(value: string): void {
    if (this.#shortAscii(value, 2)) return
    const length = Buffer.byteLength(value)
    if (length > 32_767) throw new RangeError(`a string of ${length} bytes is too long`)
    this.int16(length)
    const at = this.#room(length)
    this.#bytes.write(value, at)
  }

  compactString(value: string): void {
    if (this.#shortAscii(value, 1)) return
    const length = Buffer.byteLength(value)
    this.uvarint(length + 1)
    const at = this.#room(length)
    this.#bytes.write(value, at)
  }

  /** Most strings are names: writing those here costs less than two calls into native code. */
  #shortAscii(value: string, lengthBytes: 1 | 2): boolean {
    const { length } = value
    if (length > shortCharactersMax) return false
    const start = this.#room(lengthBytes + length)
    const bytes = this.#bytes
    let at = start
    if (lengthBytes === 2) bytes[at++] = 0
    bytes[at++] = lengthBytes === 1 ? length + 1 : length
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) {
        this.#position = start
        return false
      }
      bytes[at + index] = code
    }
    return true
  }

  /** Copies. */
  append(value: Uint8Array): void {
    const at = this.#room(value.length)
    this.#bytes.set(value, at)
  }

  /** Passes the buffers on without copying: they must stay untouched until they were sent. */
  appendByReference(buffers: readonly Uint8Array[]): void {
    this.#handOut()
    for (const buffer of buffers) {
      this.#pieces.push(buffer)
      this.#piecesLength += buffer.length
    }
  }

  #handOut(): void {
    if (this.#position === this.#pieceStart) return
    this.#piecesLength += this.#position - this.#pieceStart
    this.#pieces.push(this.#bytes.subarray(this.#pieceStart, this.#position))
    this.#pieceStart = this.#position
  }

  /** The pieces in order. The writer is spent. */
  finish(): Uint8Array[] {
    this.#handOut()
    return this.#pieces
  }

  /** Leaves room for the size of a tagged field, whose value comes next; `endTagged` takes what this returns. */
  beginTagged(): number {
    return this.#room(1) - this.#pieceStart
  }

  /** Puts the size before the value. Tagged fields hold no records, so the value lies in one piece. */
  endTagged(begun: number): void {
    const size = this.#position - this.#pieceStart - begun - 1
    const more = varintLength(size) - 1
    if (more > 0) {
      this.#room(more)
      const valueStart = this.#pieceStart + begun + 1
      this.#bytes.copyWithin(valueStart + more, valueStart, valueStart + size)
    }
    const end = this.#position
    this.#position = this.#pieceStart + begun
    this.uvarint(size)
    this.#position = end
  }
}

const shortCharactersMax = 40

function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5
}

/** The inverse of `readInt64`: the infinities are the widest numbers there are. */
export function writeInt64(bytes: Buffer, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) return writeWidest(bytes, at, value)
  if (at + 8 > bytes.length) throw new RangeError(`no room for an int64 at ${at} of ${bytes.length}`)
  const high = Math.floor(value / 0x1_0000_0000)
  const low = value - high * 0x1_0000_0000
  bytes[at] = high >> 24
  bytes[at + 1] = high >> 16
  bytes[at + 2] = high >> 8
  bytes[at + 3] = high
  bytes[at + 4] = low >>> 24
  bytes[at + 5] = low >>> 16
  bytes[at + 6] = low >>> 8
  bytes[at + 7] = low
}

function writeWidest(bytes: Buffer, at: number, value: number): void {
  if (value !== Infinity && value !== -Infinity) throw new RangeError(`not a 64-bit integer: ${value}`)
  bytes.writeInt32BE(value > 0 ? 0x7fff_ffff : -0x8000_0000, at)
  bytes.writeUInt32BE(value > 0 ? 0xffff_ffff : 0, at + 4)
}

export function lengthOf(buffers: readonly Uint8Array[]): number {
  let length = 0
  for (const buffer of buffers) length += buffer.length
  return length
}
