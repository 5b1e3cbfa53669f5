import { ErrorCode } from '../protocol/error-code.ts'
import type { Clock } from '../runtime/clock.ts'
import { TimeoutError, withTimeout } from '../runtime/timeout.ts'

/** What is being loaded: everybody who asks for a key meanwhile waits for the same load. */
export class Loads<T> {
  readonly #options: { readonly clock: Clock; readonly waitMs: number }
  readonly #running = new Map<string, Promise<T | ErrorCode>>()

  /** `waitMs`: how long anybody waits for one, in milliseconds. */
  constructor(options: { readonly clock: Clock; readonly waitMs: number }) {
    this.#options = options
  }

  get size(): number {
    return this.#running.size
  }

  /** COORDINATOR_LOAD_IN_PROGRESS where it takes longer: it goes on, and whoever asks again finds it. Rejects as `load` does. */
  async wait(key: string, load: () => Promise<T | ErrorCode>): Promise<T | ErrorCode> {
    const { clock, waitMs: timeoutMs } = this.#options
    try {
      return await withTimeout({ clock, timeoutMs }, () => this.#shared(key, load))
    } catch (error) {
      if (error instanceof TimeoutError) return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
      throw error
    }
  }

  #shared(key: string, load: () => Promise<T | ErrorCode>): Promise<T | ErrorCode> {
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const begun = load().finally(() => this.#running.delete(key))
    this.#running.set(key, begun)
    return begun
  }
}
