import { type Clock, sleep } from '../runtime/clock.ts'

export interface ColdPaceLimits {
  /** What history may always be read with by all consumers together, in bytes per second. */
  readonly coldBytesPerSecondMin: number
  /** What it begins with when somebody writes. */
  readonly coldBytesPerSecondFirst: number
  /** As good as no limit: where nobody writes, or the machine has time for both. */
  readonly coldBytesPerSecondMax: number
  /** A timer that fires later than this, in milliseconds, shows that what is hot had to wait as well. */
  readonly coldLatenessMsMax: number
}

export interface ColdPaceOptions {
  readonly clock: Clock
  readonly limits: ColdPaceLimits
  /** Grows when something is appended to any partition of this broker. */
  readonly hotTraffic: () => number
}

/** Milliseconds between two looks at how late timers are, and how many looks make one decision. */
const lookEveryMs = 10
const looksPerDecision = 10
/** Where timers were late, history goes on with so much of its pace, and else with so many bytes per second more. */
const slowdown = 0.6
const speedupBytesPerSecond = 128 * 1024
/** After so many milliseconds without a read nobody looks any more. */
const restAfterMs = 1000
/** Whoever wrote is expected to go on for so many milliseconds: an append that waits for the disk is no sign of rest. */
const hotForMs = 3000

/**
 * Holds whoever reads history back while somebody writes and the broker's own timers are late: replies full of old
 * records are what its thread and the processors are then busy with, and an append waits behind them. The pace goes
 * down by a share and up by steps, as TCP's does, so it finds what the machine has left.
 */
export class ColdPace {
  readonly #options: ColdPaceOptions
  #bytesPerSecond: number
  /** Bytes that were let through ahead of the pace. */
  #ahead = 0
  #at: number
  #usedAt = -Infinity
  #isLooking = false
  #looks = 0
  #latestMs = 0
  #hotSeen = 0
  #hotUntil = -Infinity

  constructor(options: ColdPaceOptions) {
    this.#options = options
    this.#bytesPerSecond = options.limits.coldBytesPerSecondMax
    this.#at = options.clock.monotonic()
  }

  /** The pace as of now, in bytes per second. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }

  /** Resolves once so many bytes may be read, in the order of the calls; to false where that is later than `deadlineMs`. */
  async take(bytes: number, deadlineMs: number): Promise<boolean> {
    const { clock } = this.#options
    const now = clock.monotonic()
    this.#usedAt = now
    this.#look()
    this.#ahead = Math.max(0, this.#ahead - ((now - this.#at) / 1000) * this.#bytesPerSecond)
    this.#at = now
    const waitMs = Math.ceil((this.#ahead / this.#bytesPerSecond) * 1000)
    if (now + waitMs > deadlineMs) {
      await sleep(clock, Math.max(0, deadlineMs - now))
      return false
    }
    this.#ahead += bytes
    if (waitMs > 0) await sleep(clock, waitMs)
    return true
  }

  /** Of so many bytes that were let through, this many were read: fewer, or more where one batch alone is larger. */
  settle(takenBytes: number, readBytes: number): void {
    this.#ahead = Math.max(0, this.#ahead + readBytes - takenBytes)
  }

  #look(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    this.#hotSeen = this.#options.hotTraffic()
    this.#lookAgain()
  }

  #lookAgain(): void {
    const { clock } = this.#options
    const due = clock.monotonic() + lookEveryMs
    clock.after(lookEveryMs, () => {
      const now = clock.monotonic()
      this.#latestMs = Math.max(this.#latestMs, now - due)
      this.#heed(now)
      if (++this.#looks === looksPerDecision) this.#decide(now)
      this.#isLooking = now - this.#usedAt < restAfterMs
      if (this.#isLooking) this.#lookAgain()
    })
  }

  /** The first append after a rest ends the rest at once: a tenth of a second without a pace is what its percentiles are made of. */
  #heed(now: number): void {
    const hot = this.#options.hotTraffic()
    if (hot === this.#hotSeen) return
    this.#hotSeen = hot
    if (now >= this.#hotUntil) {
      this.#bytesPerSecond = Math.min(this.#bytesPerSecond, this.#options.limits.coldBytesPerSecondFirst)
      this.#looks = 0
      this.#latestMs = 0
    }
    this.#hotUntil = now + hotForMs
  }

  #decide(now: number): void {
    const { coldBytesPerSecondMin: min, coldBytesPerSecondMax: max, coldLatenessMsMax } = this.#options.limits
    if (now >= this.#hotUntil) this.#bytesPerSecond = max
    else if (this.#latestMs > coldLatenessMsMax) this.#bytesPerSecond = Math.max(min, this.#bytesPerSecond * slowdown)
    else this.#bytesPerSecond = Math.min(max, this.#bytesPerSecond + speedupBytesPerSecond)
    this.#looks = 0
    this.#latestMs = 0
  }
}
