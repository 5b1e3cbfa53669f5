import { Worker } from 'node:worker_threads'
import { type WorkerCall, WorkerCalls } from '../runtime/worker-calls.ts'
import { type CleanedGroup, CompactionError, type CompactionIo, type GroupToClean, type IndexedKeys, type Pass } from './compaction-io.ts'

export interface ToCompactionWorker extends WorkerCall {
  readonly call: keyof CompactionIo
}

export type FromCompactionWorker =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: CompactionError['code']; readonly message: string } }

/** Compaction in a thread of its own; this is the broker's side of it. A thread that has died fails every call, and that is all. */
export class CompactionWorkerClient implements CompactionIo {
  readonly #calls: WorkerCalls
  readonly #ended: Promise<void>

  constructor() {
    // The same ending as this file's own: `.ts` from source, `.js` in the published package.
    const worker = new Worker(new URL(import.meta.url.replace(/compaction-worker-client(\.\w+)$/, 'compaction-worker$1')))
    const calls = new WorkerCalls(worker)
    this.#calls = calls
    worker.on('message', (answer: FromCompactionWorker) => calls.settle(answer, ({ code, message }) => new CompactionError(code, message)))
    worker.on('error', (cause) => calls.die(new CompactionError('failed', 'the thread that compacts failed', cause)))
    this.#ended = new Promise((resolve) => {
      worker.on('exit', (code) => {
        calls.die(new CompactionError('failed', `the thread that compacts ended with code ${code}`))
        resolve()
      })
    })
  }

  begin(pass: Pass): Promise<IndexedKeys> {
    return this.#call('begin', [pass])
  }

  clean(group: GroupToClean): Promise<CleanedGroup> {
    return this.#call('clean', [group])
  }

  end(): Promise<void> {
    return this.#call('end', [])
  }

  /** Resolves once the thread has ended. */
  async close(): Promise<void> {
    await this.#call('close', []).catch(() => {})
    await this.#ended
  }

  #call<T>(call: keyof CompactionIo, args: readonly unknown[]): Promise<T> {
    return this.#calls.call(call, args)
  }
}
