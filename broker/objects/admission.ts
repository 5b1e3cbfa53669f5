import { Budget, BudgetError } from '../runtime/budget.ts'
import { ObjectStoreError } from './object-store.ts'

export interface AdmissionOptions {
  /** Calls at a time. Default 32. */
  readonly requestsMax?: number | undefined
  /** Calls that may wait; more are refused as `away`. Default 1,000. */
  readonly waitingCallsMax?: number | undefined
  /** Bytes in memory for all calls together. Default 128 MiB. */
  readonly bufferBytesMax?: number | undefined
}

/** What every object store shares out among its calls: how many run, and how many bytes they hold in memory. */
export class Admission {
  readonly #requests: Budget
  readonly #buffers: Budget
  #isClosed = false

  constructor({ requestsMax = 32, waitingCallsMax = 1_000, bufferBytesMax = 128 * 1024 * 1024 }: AdmissionOptions) {
    this.#requests = new Budget({ units: requestsMax, waitingMax: waitingCallsMax })
    // Only calls that run ask for bytes, and each once.
    this.#buffers = new Budget({ units: bufferBytesMax, waitingMax: requestsMax })
  }

  /** Runs a call when its turn comes. Rejects with `ObjectStoreError` where it does not. */
  async admit<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new ObjectStoreError('away', 'the object store is closed')
    return await refusing(this.#requests.use({ units: 1, signal }, run))
  }

  /** Runs while `bytes` are set aside for it. For use within `admit`, once. */
  async withBuffer<T>(
    { bytes, signal }: { readonly bytes: number; readonly signal: AbortSignal | undefined },
    run: () => Promise<T>,
  ): Promise<T> {
    return await refusing(this.#buffers.use({ units: bytes, signal }, run))
  }

  /** Takes no more calls, and resolves once those it took are over. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#requests.idle()
  }
}

async function refusing<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    throw cause instanceof BudgetError ? new ObjectStoreError('away', cause.message, cause) : cause
  }
}
