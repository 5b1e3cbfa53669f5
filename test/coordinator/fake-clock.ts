import type { Clock, Timer } from '../../broker/runtime/clock.ts'

/** A clock that stands still until it is told otherwise. Timers fire in order, each at its time. */
export class FakeClock implements Clock {
  #monotonic = 0
  #timers: { at: number; order: number; run: () => void }[] = []
  #order = 0

  now(): number {
    return 1_700_000_000_000 + this.#monotonic
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#monotonic + delayMs, order: this.#order++, run }
    this.#timers.push(timer)
    return { cancel: () => { this.#timers = this.#timers.filter((other) => other !== timer) } }
  }

  /** Time passes; what a timer starts is finished before the next one fires. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settled()
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at || one.order - other.order)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#monotonic = Math.max(this.#monotonic, next.at)
      next.run()
      await settled()
    }
    this.#monotonic = end
    await settled()
  }
}

/** Until everything that only waits for promises has come to rest. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
