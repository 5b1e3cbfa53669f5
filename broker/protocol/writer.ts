/**
 * Writes the protocol's types into a buffer that grows, and passes record batches through by reference: `finish`
 * returns the pieces in order, ready for one gathering write.
 */
export class Writer {
  #bytes: Buffer
  #position = 0
  /** Where the piece that is being written starts; what lies before was handed out. */
  #pieceStart = 0
  #pieces: Uint8Array[] = []
  #piecesLength = 0

  constructor(sizeHint = 512) {
    this.#bytes = Buffer.allocUnsafeSlow(sizeHint)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#piecesLength + this.#position - this.#pieceStart
  }

  #room(length: number): number {
    const at = this.#position
    if (at + length > this.#bytes.length) {
      const bigger = Buffer.allocUnsafeSlow(Math.max((at + length - this.#pieceStart) * 2, 1024))
      this.#bytes.copy(bigger, 0, this.#pieceStart, at)
      this.#bytes = bigger
      this.#position = at - this.#pieceStart
      this.#pieceStart = 0
    }
    const start = this.#position
    this.#position = start + length
    return start
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const at = this.#room(1)
    this.#bytes.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.#room(2)
    this.#bytes.writeInt16BE(value, at)
  }

  uint16(value: number): void {
    const at = this.#room(2)
    this.#bytes.writeUInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.#room(4)
    this.#bytes.writeInt32BE(value, at)
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
    let left = value
    while (left > 0x7f) {
      const at = this.#room(1)
      this.#bytes[at] = (left % 128) | 0x80
      left = Math.floor(left / 128)
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
    const length = Buffer.byteLength(value)
    if (length > 32_767) throw new RangeError(`a string of ${length} bytes is too long`)
    this.int16(length)
    const at = this.#room(length)
    this.#bytes.write(value, at)
  }

  compactString(value: string): void {
    const length = Buffer.byteLength(value)
    this.uvarint(length + 1)
    const at = this.#room(length)
    this.#bytes.write(value, at)
  }

  /** Copies. */
  append(value: Uint8Array): void {
    const at = this.#room(value.length)
    this.#bytes.set(value, at)
  }

  /** Passes the buffers on without copying: they must stay untouched until they were sent. */
  appendByReference(buffers: readonly Uint8Array[]): void {
    if (this.#position > this.#pieceStart) {
      this.#piecesLength += this.#position - this.#pieceStart
      this.#pieces.push(this.#bytes.subarray(this.#pieceStart, this.#position))
      this.#pieceStart = this.#position
    }
    for (const buffer of buffers) {
      this.#pieces.push(buffer)
      this.#piecesLength += buffer.length
    }
  }

  /** The pieces in order. The writer is spent. */
  finish(): Uint8Array[] {
    this.appendByReference([])
    return this.#pieces
  }
}

/** The inverse of `readInt64`: the infinities are the widest numbers there are. */
export function writeInt64(bytes: Buffer, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) return writeWidest(bytes, at, value)
  const high = Math.floor(value / 0x1_0000_0000)
  bytes.writeInt32BE(high, at)
  bytes.writeUInt32BE(value - high * 0x1_0000_0000, at + 4)
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
