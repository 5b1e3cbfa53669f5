/** Thrown for a length that no request can have: the connection is closed before anything is allocated for it. */
export class FrameLengthError extends Error {
  readonly length: number
  constructor(length: number, bytesMax: number) {
    super(`a frame of ${length} bytes is announced, and at most ${bytesMax} are allowed`)
    this.name = 'FrameLengthError'
    this.length = length
  }
}

/**
 * Cuts a byte stream into frames, each behind a length of four bytes. A frame that lies whole in a chunk is a view on
 * it; one that spans chunks is put together once, when it is complete, so nothing larger than what was received is
 * ever held, whatever length was announced.
 */
export class FrameSplitter {
  readonly #bytesMax: number
  #parts: Buffer[] = []
  #partsLength = 0
  /** Of the frame being received; -1: its length is not complete. */
  #frameLength = -1

  /** `bytesMax`: the longest frame. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes that are held for a frame that is not complete. */
  get bytesHeld(): number {
    return this.#partsLength
  }

  /** The frames that this chunk completes, without their lengths. Throws `FrameLengthError`. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let rest = chunk
    for (;;) {
      if (this.#frameLength < 0) {
        const held = this.#partsLength + rest.length
        if (held < 4) {
          this.#keep(rest)
          return frames
        }
        rest = this.#takeLength(rest)
      }
      if (this.#partsLength + rest.length < this.#frameLength) {
        this.#keep(rest)
        return frames
      }
      const needed = this.#frameLength - this.#partsLength
      frames.push(this.#takeFrame(rest.subarray(0, needed)))
      rest = rest.subarray(needed)
      if (rest.length === 0) return frames
    }
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#parts.push(bytes)
    this.#partsLength += bytes.length
  }

  #takeLength(rest: Buffer): Buffer {
    const head = this.#partsLength === 0 ? rest : Buffer.concat([...this.#parts, rest.subarray(0, 4 - this.#partsLength)])
    const length = head.readInt32BE(0)
    if (length < 0 || length > this.#bytesMax) throw new FrameLengthError(length, this.#bytesMax)
    const behind = rest.subarray(4 - this.#partsLength)
    this.#parts = []
    this.#partsLength = 0
    this.#frameLength = length
    return behind
  }

  #takeFrame(last: Buffer): Buffer {
    let frame = last
    if (this.#partsLength > 0) {
      // Not from Node's pool, where a small frame that is kept would hold on to its neighbours.
      frame = Buffer.allocUnsafeSlow(this.#frameLength)
      let at = 0
      for (const part of this.#parts) at += part.copy(frame, at)
      last.copy(frame, at)
      this.#parts = []
      this.#partsLength = 0
    }
    this.#frameLength = -1
    return frame
  }
}
