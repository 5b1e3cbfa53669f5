import type { BufferPool } from '../runtime/buffer-pool.ts'

/** Thrown for a length that no request can have: the connection is closed before anything is allocated for it. */
export class FrameLengthError extends Error {
  readonly length: number
  constructor(length: number, bytesMax: number) {
    super(`a frame of ${length} bytes is announced, and at most ${bytesMax} are allowed`)
    this.name = 'FrameLengthError'
    this.length = length
  }
}

/** A frame whose length is announced gets room for so much at once; a longer one as it arrives. */
const roomBytes = 4 * 1024 * 1024

/**
 * Cuts a byte stream into frames, each behind a length of four bytes. The chunks are only lent, so every frame is copied,
 * once, into memory of its own. What is held never exceeds what was received by more than `roomBytes`, whatever length
 * was announced.
 */
export class FrameSplitter {
  readonly #bytesMax: number
  readonly #pool: BufferPool
  readonly #lengthBytes = Buffer.alloc(4)
  #lengthFilled = 0
  /** The frame being received; undefined: its length is not complete. */
  #frame: Buffer | undefined
  #frameLength = 0
  #filled = 0

  /** `bytesMax`: the longest frame. */
  constructor(options: { readonly bytesMax: number; readonly pool: BufferPool }) {
    this.#bytesMax = options.bytesMax
    this.#pool = options.pool
  }

  /** Bytes that are held for a frame that is not complete. */
  get bytesHeld(): number {
    return this.#frame === undefined ? 0 : this.#frame.length
  }

  /** The frames that this chunk completes, without their lengths. Throws `FrameLengthError`. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let at = 0
    while (at < chunk.length || (this.#frame !== undefined && this.#filled === this.#frameLength)) {
      if (this.#frame === undefined) {
        at += this.#takeLength(chunk, at)
        continue
      }
      at += this.#fill(chunk, at)
      if (this.#filled < this.#frameLength) continue
      frames.push(this.#frame.subarray(0, this.#frameLength))
      this.#frame = undefined
    }
    return frames
  }

  /** Returns how many bytes it took. */
  #takeLength(chunk: Buffer, at: number): number {
    const count = Math.min(4 - this.#lengthFilled, chunk.length - at)
    chunk.copy(this.#lengthBytes, this.#lengthFilled, at, at + count)
    this.#lengthFilled += count
    if (this.#lengthFilled < 4) return count
    this.#lengthFilled = 0
    const length = this.#lengthBytes.readInt32BE(0)
    if (length < 0 || length > this.#bytesMax) throw new FrameLengthError(length, this.#bytesMax)
    this.#frameLength = length
    this.#filled = 0
    this.#frame = this.#pool.take(Math.min(length, roomBytes))
    return count
  }

  #fill(chunk: Buffer, at: number): number {
    const frame = this.#frame!
    if (this.#filled === frame.length && this.#filled < this.#frameLength) this.#grow(frame)
    const room = this.#frame!
    const count = Math.min(room.length - this.#filled, chunk.length - at)
    chunk.copy(room, this.#filled, at, at + count)
    this.#filled += count
    return count
  }

  #grow(frame: Buffer): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(frame.length * 2, this.#frameLength))
    frame.copy(larger, 0, 0, this.#filled)
    this.#frame = larger
  }
}
