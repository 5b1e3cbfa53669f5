import type { ObjectBody } from '../../broker/objects/object-store.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'

/** A body over bytes in memory, handed out in chunks of `chunkBytes`, that counts how often it was read. */
export class BytesBody implements ObjectBody {
  readonly length: number
  readonly crc32c: number
  readonly #bytes: Uint8Array
  readonly #chunkBytes: number
  timesRead = 0

  constructor(bytes: Uint8Array, { chunkBytes = 64 * 1024 }: { readonly chunkBytes?: number } = {}) {
    this.#bytes = bytes
    this.#chunkBytes = chunkBytes
    this.length = bytes.length
    this.crc32c = crc32c(bytes)
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    this.timesRead++
    for (let start = 0; start < this.#bytes.length; start += this.#chunkBytes) {
      yield this.#bytes.subarray(start, start + this.#chunkBytes)
    }
  }
}

/** Bytes that differ everywhere and follow from a seed. */
export function patternBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed >>> 0 || 1
  for (let index = 0; index < length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[index] = state & 0xff
  }
  return bytes
}
