/** A call that did not get its share. `full`: too many wait already. `aborted`: its signal came first. */
export class BudgetError extends Error {
  readonly code: 'full' | 'aborted'
  constructor(code: BudgetError['code'], message: string) {
    super(message)
    this.name = 'BudgetError'
    this.code = code
  }
}

export interface BudgetOptions {
  /** What there is to share: bytes, or calls at a time. */
  readonly units: number
  /** Calls that may wait for their share; more are refused. */
  readonly waitingMax: number
}

interface Waiting {
  readonly units: number
  readonly admit: () => void
}

/**
 * A limited amount of something, given out in order of arrival, so that a large share is not passed by small ones
 * for ever. A share larger than everything counts as everything: it runs alone.
 */
export class Budget {
  readonly #units: number
  readonly #waitingMax: number
  readonly #waiting = new Set<Waiting>()
  #idlers: (() => void)[] = []
  #free: number

  constructor({ units, waitingMax }: BudgetOptions) {
    this.#units = units
    this.#free = units
    this.#waitingMax = waitingMax
  }

  /** Runs once `units` are free, and frees them when it is over. Rejects with `BudgetError` without having run. */
  async use<T>(share: { readonly units: number; readonly signal?: AbortSignal | undefined }, run: () => Promise<T>): Promise<T> {
    const units = Math.min(share.units, this.#units)
    await this.#take(units, share.signal)
    try {
      return await run()
    } finally {
      this.#free += units
      this.#admitWaiting()
      for (const resolve of this.#idlers.splice(0)) resolve()
    }
  }

  /** Resolves once nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#free < this.#units || this.#waiting.size > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve))
  }

  #take(units: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (signal?.aborted) throw new BudgetError('aborted', 'aborted before it began')
    if (this.#waiting.size === 0 && units <= this.#free) {
      this.#free -= units
      return undefined
    }
    if (this.#waiting.size >= this.#waitingMax) {
      throw new BudgetError('full', `${this.#waiting.size} calls are waiting, no more are taken`)
    }
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(waiting)
        reject(new BudgetError('aborted', 'aborted while it waited'))
        // What waited behind a large share may fit.
        this.#admitWaiting()
      }
      const admit = () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const waiting = { units, admit }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.add(waiting)
    })
  }

  #admitWaiting(): void {
    for (const waiting of this.#waiting) {
      if (waiting.units > this.#free) return
      this.#free -= waiting.units
      this.#waiting.delete(waiting)
      waiting.admit()
    }
  }
}
