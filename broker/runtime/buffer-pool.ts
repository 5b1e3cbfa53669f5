/**
 * Buffers that are used again. Large buffers cost more to get than to fill: the system hands out pages of zeros one
 * fault at a time, and each one that is dropped brings the next garbage collection nearer.
 *
 * Who takes a buffer owns it. It may give it back once nobody can see it any more, the system included; a buffer that is
 * never given back is collected as any other, so forgetting to costs speed and giving back too early costs data.
 */
export class BufferPool {
  readonly #bytesMax: number
  /** Free buffers by their size, a power of two. */
  readonly #free = new Map<number, ArrayBuffer[]>()
  #bytes = 0

  /** `bytesMax`: of buffers that are kept free; more are left to the collector. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Of buffers that are free. */
  get bytes(): number {
    return this.#bytes
  }

  /** A buffer of exactly `length` bytes with whatever is in it. */
  take(length: number): Buffer {
    if (length < smallest || length > largest) return Buffer.allocUnsafeSlow(length)
    const size = sizeFor(length)
    const memory = this.#free.get(size)?.pop()
    if (memory === undefined) return Buffer.allocUnsafeSlow(size).subarray(0, length)
    this.#bytes -= size
    return Buffer.from(memory, 0, length)
  }

  /** Only for a buffer that `take` returned, and only once. */
  give(buffer: Buffer): void {
    const memory = buffer.buffer as ArrayBuffer
    const size = memory.byteLength
    if (size < smallest || size > largest || sizeFor(size) !== size || this.#bytes + size > this.#bytesMax) return
    this.#bytes += size
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [memory])
    else free.push(memory)
  }
}

/** Smaller ones cost little, larger ones are rare. */
const smallest = 16 * 1024
const largest = 4 * 1024 * 1024

function sizeFor(length: number): number {
  return 2 ** Math.ceil(Math.log2(length))
}
