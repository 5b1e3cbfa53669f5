import type { Clock } from '../runtime/clock.ts'
import { TierError } from './tier-error.ts'

/** What the promise resolves to, or undefined at `deadlineMs` of the monotonic clock. The promise goes on either way. */
export function valueWithin<T>(clock: Clock, deadlineMs: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(Math.max(0, deadlineMs - clock.monotonic()), () => resolve(undefined))
    promise.then(resolve, reject).finally(() => timer.cancel())
  })
}

export interface CallOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  /** What is being done, for the error. */
  readonly doing: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Calls a dependency that may hang. Its signal aborts after `timeoutMs` or with the caller's own, and then the call
 * counts as failed, whether it listens to the signal or not. Throws `TierError`, with code `away` for a time-out.
 */
export async function callWithin<T>(options: CallOptions, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, timeoutMs, doing, signal } = options
  const abort = new AbortController()
  const stop = () => abort.abort(signal?.reason)
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  const timer = clock.after(timeoutMs, () => abort.abort(new TierError('away', `${doing}: no answer within ${timeoutMs} ms`)))
  const aborted = new Promise<never>((_, reject) => {
    const fail = () => reject(abort.signal.reason instanceof Error ? abort.signal.reason : new TierError('away', `${doing}: aborted`))
    if (abort.signal.aborted) fail()
    else abort.signal.addEventListener('abort', fail)
  })
  aborted.catch(() => {})
  try {
    return await Promise.race([call(abort.signal), aborted])
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', stop)
  }
}
