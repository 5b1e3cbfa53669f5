import type { Worker } from 'node:worker_threads'

export interface WorkerCall {
  readonly id: number
  readonly call: string
  readonly args: readonly unknown[]
}

interface Outstanding {
  readonly resolve: (value: unknown) => void
  readonly reject: (cause: Error) => void
}

/**
 * Calls of a thread, each under a number and answered in any order. An answer that is owed keeps the process alive; an idle
 * thread does not. Once the thread has died, that is what every call rejects with.
 */
export class WorkerCalls {
  readonly #worker: Worker
  readonly #outstanding = new Map<number, Outstanding>()
  #lastId = 0
  #death: Error | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    worker.unref()
  }

  /** How many are under way. */
  get size(): number {
    return this.#outstanding.size
  }

  get isDead(): boolean {
    return this.#death !== undefined
  }

  nextId(): number {
    return ++this.#lastId
  }

  async call<T>(call: string, args: readonly unknown[], id = this.nextId()): Promise<T> {
    if (this.#death !== undefined) throw this.#death
    if (this.#outstanding.size === 0) this.#worker.ref()
    const answer = new Promise((resolve, reject) => this.#outstanding.set(id, { resolve, reject }))
    this.#worker.postMessage({ id, call, args } satisfies WorkerCall)
    return (await answer) as T
  }

  /** The thread has answered: with a value, or with what `errorOf` makes of its error. */
  settle<E>(message: { readonly id: number } & ({ readonly value: unknown } | { readonly error: E }), errorOf: (error: E) => Error): void {
    const outstanding = this.#outstanding.get(message.id)
    this.#outstanding.delete(message.id)
    if (this.#outstanding.size === 0) this.#worker.unref()
    if ('error' in message) outstanding?.reject(errorOf(message.error))
    else outstanding?.resolve(message.value)
  }

  /** Fails what is under way, and all that still comes. False: it had died before. */
  die(cause: Error): boolean {
    if (this.#death !== undefined) return false
    this.#death = cause
    for (const { reject } of this.#outstanding.values()) reject(cause)
    this.#outstanding.clear()
    return true
  }
}
