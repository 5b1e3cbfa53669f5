import { type Clock, sleep } from './clock.ts'

/** Lets through `bytesPerSecond` on average and one second's worth at once; who takes more than is there waits. */
export class ByteRate {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  #bytes: number
  #at: number

  /** `Infinity`: no limit. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#bytes = bytesPerSecond
    this.#at = clock.monotonic()
  }

  /** Resolves once `bytes` may go, or at once when `signal` aborts. Waiters go in the order in which they came. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === Infinity) return
    const now = this.#clock.monotonic()
    this.#bytes = Math.min(this.#bytesPerSecond, this.#bytes + ((now - this.#at) / 1000) * this.#bytesPerSecond) - bytes
    this.#at = now
    if (this.#bytes < 0) await sleep(this.#clock, (-this.#bytes / this.#bytesPerSecond) * 1000, signal)
  }
}
