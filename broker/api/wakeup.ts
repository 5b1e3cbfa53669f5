import type { Clock } from '../runtime/clock.ts'

/** Waits for one event or a while, whichever comes first. */
export class Wakeup {
  readonly #clock: Clock
  #isAwake = false
  #resolve: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wake(): void {
    this.#isAwake = true
    this.#resolve?.()
  }

  /** Resolves on `wake`, also on one that came before; after `waitMs`; or when the signal aborts. */
  orAfter(waitMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#isAwake || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel()
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#clock.after(waitMs, end)
      signal?.addEventListener('abort', end)
      this.#resolve = end
    })
  }
}
