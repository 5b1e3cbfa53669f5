import type { Clock } from '../runtime/clock.ts'

export interface UploadPaceLimits {
  /** Milliseconds within which about two thirds of what waits go up: the more waits, the faster. */
  readonly uploadDrainMs: number
  /** The pace where little waits, in bytes per second. */
  readonly uploadBytesPerSecondMin: number
}

/**
 * When the next upload may start. A burst of traffic is followed by its segments later and evenly, and not all at once
 * while clients still want the processors and the network; what waits is on disk and replicated, so it can. Under steady
 * traffic the pace is that of the traffic, `uploadDrainMs` behind it.
 */
export class UploadPace {
  readonly #clock: Clock
  readonly #limits: UploadPaceLimits
  /** Bytes that went up ahead of the pace; as much as one second's below 0 where nothing went up for a while. */
  #ahead = 0
  #at: number

  constructor(clock: Clock, limits: UploadPaceLimits) {
    this.#clock = clock
    this.#limits = limits
    this.#at = clock.monotonic()
  }

  /** Whole milliseconds until an upload may start where `waitingBytes` wait to go up; 0: now. */
  waitMs(waitingBytes: number): number {
    const { uploadDrainMs, uploadBytesPerSecondMin } = this.#limits
    const bytesPerMs = Math.max(uploadBytesPerSecondMin / 1000, waitingBytes / uploadDrainMs)
    const now = this.#clock.monotonic()
    this.#ahead = Math.max(this.#ahead - (now - this.#at) * bytesPerMs, -1000 * bytesPerMs)
    this.#at = now
    return Math.max(0, Math.ceil(this.#ahead / bytesPerMs))
  }

  /** So many bytes went up. */
  spend(bytes: number): void {
    this.#ahead += bytes
  }
}
