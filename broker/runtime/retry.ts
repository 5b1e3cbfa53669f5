import { type BackoffOptions, backoffMs } from './backoff.ts'
import { type Clock, sleep } from './clock.ts'
import type { Random } from './random.ts'

export interface RetryOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffOptions
  /** Once so long has passed since the start, milliseconds, a failure is final. */
  readonly retryMs: number
  /** Ends the waiting; what runs hears of it by itself. */
  readonly signal?: AbortSignal | undefined
  /** Whether a second try can end otherwise. */
  readonly mayPass: (cause: unknown) => boolean
}

/** Runs until it succeeds, or fails with what will not pass, or time is up. Rejects with the last failure. */
export async function retry<T>(options: RetryOptions, run: () => Promise<T>): Promise<T> {
  const { clock, random, backoff, retryMs, signal, mayPass } = options
  const deadline = clock.monotonic() + retryMs
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (cause) {
      const waitMs = backoffMs(tries, { ...backoff, random })
      if (!mayPass(cause) || clock.monotonic() + waitMs > deadline || signal?.aborted) throw cause
      await sleep(clock, waitMs, signal)
    }
  }
}
