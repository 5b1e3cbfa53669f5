import type { Clock, Timer } from './clock.ts'

export const nodeClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run): Timer {
    // A longer delay than Node can count is clamped: the caller looks at the clock again when it fires.
    const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}
