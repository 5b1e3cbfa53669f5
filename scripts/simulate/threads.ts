import { Worker } from 'node:worker_threads'
import type { RunOptions } from '../../sim/options.ts'
import type { Outcome } from './run-once.ts'

/** Runs simulations side by side: each thread has a world of its own, and its own globals to guard. */
export class Threads {
  readonly #count: number

  constructor(count: number) {
    this.#count = count
  }

  /** Tells each outcome in the order of `all`. Rejects where a thread ends by itself. */
  async run(all: readonly RunOptions[], told: (outcome: Outcome) => void): Promise<void> {
    const left = all.entries()
    const outcomes: (Outcome | undefined)[] = all.map(() => undefined)
    let next = 0
    await Promise.all(Array.from({ length: Math.min(this.#count, all.length) }, async () => {
      const worker = new Worker(new URL('worker.ts', import.meta.url))
      try {
        for (const [index, options] of left) {
          outcomes[index] = await ask(worker, options)
          for (; outcomes[next] !== undefined; next++) told(outcomes[next]!)
        }
      } finally {
        await worker.terminate()
      }
    }))
  }
}

function ask(worker: Worker, options: RunOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const ended = (code: number) => reject(new Error(`the thread of seed ${options.seed} ended with ${code}`))
    const failed = (cause: unknown) => reject(new Error(`seed ${options.seed} failed`, { cause }))
    worker.once('error', failed)
    worker.once('exit', ended)
    worker.once('message', (outcome: Outcome) => {
      worker.off('error', failed)
      worker.off('exit', ended)
      resolve(outcome)
    })
    worker.postMessage(options)
  })
}
