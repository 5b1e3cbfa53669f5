import type { Clock, Timer } from '../../broker/runtime/clock.ts'

/** A clock that stands still until it is told to go on; timers fire in order of their time. */
export class ManualClock implements Clock {
  #monotonic = 0
  #wall: number
  #timers: { at: number; run: () => void }[] = []

  constructor(wall = 1_700_000_000_000) {
    this.#wall = wall
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#monotonic + Math.max(delayMs, 0), run }
    this.#timers.push(timer)
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  /** Lets time pass; between timers the promises that they resolve get their turn. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms
    await turn()
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#step(next.at)
      next.run()
      await turn()
    }
    this.#step(until)
    await turn()
  }

  #step(to: number): void {
    this.#wall += to - this.#monotonic
    this.#monotonic = to
  }
}

/** Lets every promise that can go on do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
