import type { Clock } from '../runtime/clock.ts'
import { type TimeoutOptions, withTimeout } from '../runtime/timeout.ts'
import { tierErrorOf } from './tier-error.ts'

/** What the promise resolves to, or undefined at `deadlineMs` of the monotonic clock. The promise goes on either way. */
export function valueWithin<T>(clock: Clock, deadlineMs: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(Math.max(0, deadlineMs - clock.monotonic()), () => resolve(undefined))
    promise.then(resolve, reject).finally(() => timer.cancel())
  })
}

/** Calls a dependency that may hang or fail. Throws `TierError`, which says what was being done. */
export async function callWithin<T>(
  doing: string, options: TimeoutOptions, call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withTimeout(options, call)
  } catch (cause) {
    throw tierErrorOf(doing, cause)
  }
}
