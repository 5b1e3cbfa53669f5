/**
 * Bytes of records that replies refer to and clients have not taken yet, over all connections. The more of it is used,
 * the less one read is allowed: a crowd of clients that ask for much and take nothing comes to hold little each, and
 * those that do take what they asked for still get on.
 */
export class ReplyBudget {
  readonly #bytesMax: number
  readonly #readBytesMax: number
  readonly #readBytesMin: number
  #bytes = 0

  /** `readBytesMax`, `readBytesMin`: what one read of a partition gets when nothing, and when everything, is used. */
  constructor(options: { readonly bytesMax: number; readonly readBytesMax: number; readonly readBytesMin: number }) {
    this.#bytesMax = options.bytesMax
    this.#readBytesMax = options.readBytesMax
    this.#readBytesMin = options.readBytesMin
  }

  /** In use. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many bytes a read may have that would like `wanted`. */
  allowance(wanted: number): number {
    const share = Math.floor((this.#bytesMax - this.#bytes) / 8)
    return Math.min(wanted, Math.max(Math.min(share, this.#readBytesMax), this.#readBytesMin))
  }

  take(bytes: number): void {
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}
