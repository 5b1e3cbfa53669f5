/** Time as the broker sees it. Everything below `main` takes one, so that a simulation can own time. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. For record timestamps and retention only: it may jump. */
  now(): number
  /** Monotonic milliseconds with a fraction, from an arbitrary start. For leases, deadlines and latency. */
  monotonic(): number
  /** Calls `run` once, at least `delayMs` from now. A timer does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer
}

export interface Timer {
  /** Has no effect once the timer has fired. */
  cancel(): void
}

/** Resolves after `delayMs`, or at once when `signal` aborts: look at the signal to tell which. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = () => {
      timer.cancel()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const timer = clock.after(delayMs, wake)
    signal?.addEventListener('abort', wake)
  })
}

/** Resolves once `awaited` has, or after `waitMs`. What it rejects with is passed on while somebody waits. */
export async function within(clock: Clock, waitMs: number, awaited: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  try {
    await Promise.race([awaited, sleep(clock, waitMs, over.signal)])
  } finally {
    over.abort()
  }
}
