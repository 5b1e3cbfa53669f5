import type { Clock } from './clock.ts'

export interface TimeoutOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Ends the call as well. */
  readonly signal?: AbortSignal | undefined
}

export class TimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
    this.name = 'TimeoutError'
  }
}

/**
 * Runs with a signal that aborts after `timeoutMs`, or with the caller's. Rejects then, even if what was called
 * does not listen to its signal; what comes of it later is nobody's.
 */
export async function withTimeout<T>(
  { clock, timeoutMs, signal }: TimeoutOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const ended = Promise.withResolvers<never>()
  // It may be over before anybody waits for it.
  ended.promise.catch(() => {})
  const end = (cause: unknown) => {
    controller.abort(cause)
    ended.reject(cause)
  }
  const abort = () => end(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  const timer = clock.after(timeoutMs, () => end(new TimeoutError(timeoutMs)))
  try {
    return await Promise.race([ended.promise, run(controller.signal)])
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', abort)
  }
}
