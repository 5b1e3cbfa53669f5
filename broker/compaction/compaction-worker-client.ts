import { Worker } from 'node:worker_threads'
import { type CleanedGroup, CompactionError, type CompactionIo, type GroupToClean, type IndexedKeys, type Pass } from './compaction-io.ts'

export interface ToCompactionWorker {
  readonly id: number
  readonly call: keyof CompactionIo
  readonly args: readonly unknown[]
}

export type FromCompactionWorker =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: CompactionError['code']; readonly message: string } }

interface Outstanding {
  readonly resolve: (value: unknown) => void
  readonly reject: (cause: Error) => void
}

/** Compaction in a thread of its own; this is the broker's side of it. A thread that has died fails every call, and that is all. */
export class CompactionWorkerClient implements CompactionIo {
  readonly #worker: Worker
  readonly #ended: Promise<void>
  readonly #outstanding = new Map<number, Outstanding>()
  #lastId = 0
  #death: CompactionError | undefined

  constructor() {
    // The same ending as this file's own: `.ts` from source, `.js` in the published package.
    this.#worker = new Worker(new URL(import.meta.url.replace(/compaction-worker-client(\.\w+)$/, 'compaction-worker$1')))
    this.#worker.unref()
    this.#worker.on('message', (message: FromCompactionWorker) => this.#hear(message))
    this.#worker.on('error', (cause) => this.#die(new CompactionError('failed', 'the thread that compacts failed', cause)))
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#die(new CompactionError('failed', `the thread that compacts ended with code ${code}`))
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

  async #call<T>(call: keyof CompactionIo, args: readonly unknown[]): Promise<T> {
    if (this.#death !== undefined) throw this.#death
    const id = ++this.#lastId
    // An answer that is owed keeps the process alive; an idle thread does not.
    if (this.#outstanding.size === 0) this.#worker.ref()
    const answer = new Promise((resolve, reject) => this.#outstanding.set(id, { resolve, reject }))
    this.#worker.postMessage({ id, call, args } satisfies ToCompactionWorker)
    return (await answer) as T
  }

  #hear(message: FromCompactionWorker): void {
    const outstanding = this.#outstanding.get(message.id)
    this.#outstanding.delete(message.id)
    if (this.#outstanding.size === 0) this.#worker.unref()
    if ('error' in message) outstanding?.reject(new CompactionError(message.error.code, message.error.message))
    else outstanding?.resolve(message.value)
  }

  #die(cause: CompactionError): void {
    if (this.#death !== undefined) return
    this.#death = cause
    for (const { reject } of this.#outstanding.values()) reject(cause)
    this.#outstanding.clear()
  }
}
