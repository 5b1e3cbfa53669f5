export interface RoundsOptions<T> {
  /** How many have their turn at once. */
  readonly atOnceMax: number
  /** Never rejects. */
  run(one: T): Promise<void>
}

/**
 * Does the same for each of many, in rounds: a few at a time, and never twice at once for one. What takes long holds up nobody
 * but itself, as long as there are turns left.
 */
export class Rounds<T> {
  readonly #options: RoundsOptions<T>
  readonly #busy = new Map<T, Promise<void>>()
  /** Of this round; undefined: all of them have had their turn. */
  #left: Iterator<T> | undefined

  constructor(options: RoundsOptions<T>) {
    this.#options = options
  }

  /** Begins a round, unless some are left of the last one. Who is at it still is passed over; `all` is asked as turns come. */
  begin(all: Iterable<T>): void {
    this.#left ??= all[Symbol.iterator]()
    this.#goOn()
  }

  /** No more turns begin; resolves once those that have begun are over. */
  async stop(): Promise<void> {
    this.#left = undefined
    await Promise.all(this.#busy.values())
  }

  #goOn(): void {
    while (this.#left !== undefined && this.#busy.size < this.#options.atOnceMax) {
      const next = this.#left.next()
      if (next.done === true) this.#left = undefined
      else if (!this.#busy.has(next.value)) this.#run(next.value)
    }
  }

  #run(one: T): void {
    const turn = this.#options.run(one).then(() => {
      this.#busy.delete(one)
      this.#goOn()
    })
    this.#busy.set(one, turn)
  }
}
