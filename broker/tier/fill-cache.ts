import type { Clock } from '../runtime/clock.ts'

export interface FillCacheOptions {
  readonly clock: Clock
  /** Of all values together, by what their fills say of them. */
  readonly bytesMax: number
  /** How long a failure is handed to whoever asks again, so that a store in trouble is not asked by every fetch. */
  readonly failureHoldMs: number
}

interface Held<T> {
  readonly value: T
  readonly bytes: number
  isSpent: boolean
}

const failuresMax = 1000

/**
 * Values that are costly to come by: each is filled once however many ask for it at the same time, and the fill goes
 * on when they have stopped waiting. What its reader is done with goes first, and then the least recently used: a fill
 * whose reader gave up must still be there when the reader comes back, or it would never get on.
 */
export class FillCache<T> {
  readonly #options: FillCacheOptions
  readonly #held = new Map<string, Held<T>>()
  readonly #fills = new Map<string, Promise<T>>()
  readonly #failures = new Map<string, { readonly cause: unknown; readonly until: number }>()
  #bytes = 0

  constructor(options: FillCacheOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many fills are under way. */
  get fills(): number {
    return this.#fills.size
  }

  has(id: string): boolean {
    return this.#held.has(id) || this.#fills.has(id)
  }

  /** The value, from here or by `fill`. Rejects with what `fill` rejected with, for `failureHoldMs` without a new try. */
  get(id: string, fill: () => Promise<{ readonly value: T; readonly bytes: number }>): Promise<T> {
    const held = this.#held.get(id)
    if (held !== undefined) {
      held.isSpent = false
      this.#held.delete(id)
      this.#held.set(id, held)
      return Promise.resolve(held.value)
    }
    const failure = this.#failures.get(id)
    if (failure !== undefined && this.#options.clock.monotonic() < failure.until) return Promise.reject(failure.cause)
    return this.#fills.get(id) ?? this.#fill(id, fill)
  }

  /** Says that whoever asked for the value needs it no more. */
  spend(id: string): void {
    const held = this.#held.get(id)
    if (held !== undefined) held.isSpent = true
  }

  /** Forgets a value, so that the next `get` fills it anew. */
  discard(id: string): void {
    this.#bytes -= this.#held.get(id)?.bytes ?? 0
    this.#held.delete(id)
  }

  #fill(id: string, fill: () => Promise<{ readonly value: T; readonly bytes: number }>): Promise<T> {
    const filling = fill().then(
      ({ value, bytes }) => {
        this.#fills.delete(id)
        this.#failures.delete(id)
        this.#hold(id, { value, bytes, isSpent: false })
        return value
      },
      (cause: unknown) => {
        this.#fills.delete(id)
        this.#fail(id, cause)
        throw cause
      },
    )
    this.#fills.set(id, filling)
    // Who asked may have stopped waiting; the failure is kept for the next one.
    filling.catch(() => {})
    return filling
  }

  #hold(id: string, held: Held<T>): void {
    this.discard(id)
    this.#held.set(id, held)
    this.#bytes += held.bytes
    while (this.#bytes > this.#options.bytesMax) this.discard(this.#leastWanted())
  }

  #leastWanted(): string {
    for (const [id, { isSpent }] of this.#held) if (isSpent) return id
    return this.#held.keys().next().value!
  }

  #fail(id: string, cause: unknown): void {
    this.#failures.delete(id)
    this.#failures.set(id, { cause, until: this.#options.clock.monotonic() + this.#options.failureHoldMs })
    if (this.#failures.size > failuresMax) this.#failures.delete(this.#failures.keys().next().value!)
  }
}
