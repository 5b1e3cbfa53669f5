import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import type { SqliteDatabaseOptions } from './sqlite-database.ts'
import type { SqliteAnswers, SqliteRequest } from './sqlite-requests.ts'
import type { FromWorker, ToWorker, WorkerOpened } from './sqlite-worker.ts'
import { TableError } from './table.ts'

interface Outstanding {
  readonly resolve: (message: FromWorker) => void
  readonly reject: (cause: Error) => void
}

/**
 * This side of the database's thread. One message is outstanding at a time. A thread that dies rejects it, and
 * everything after. The thread holds the process only while it owes an answer.
 */
export class SqliteThread {
  readonly #worker: Worker
  /** Resolves when the thread has ended, with the cause unless `close` was it. */
  readonly ended: Promise<Error | undefined>
  #isClosing = false
  #outstanding: Outstanding | undefined
  #death: Error | undefined

  private constructor(options: SqliteDatabaseOptions) {
    // The same ending as this file's own: `.ts` from source, `.js` in the published package.
    const entry = new URL(import.meta.url.replace(/sqlite-thread(\.\w+)$/, 'sqlite-worker$1'))
    // SQLite in Node 24 is stable enough for us and announces itself as experimental on stderr.
    this.#worker = new Worker(entry, { workerData: options, execArgv: ['--disable-warning=ExperimentalWarning'] })
    this.#worker.unref()
    this.#worker.on('message', (message: FromWorker) => this.#answered((waiting) => waiting.resolve(message)))
    this.#worker.on('error', (cause) => this.#die(new Error('the thread of the table failed', { cause })))
    this.ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#die(new Error(`the thread of the table ended with code ${code}`))
        resolve(this.#isClosing ? undefined : this.#death)
      })
    })
  }

  /** Rejects with `TableError` where the database cannot be opened. */
  static async open(options: SqliteDatabaseOptions): Promise<SqliteThread> {
    const thread = new SqliteThread(options)
    const opened = (await thread.#answer()) as WorkerOpened
    if (opened.kind === 'opened') return thread
    thread.#isClosing = true
    await thread.ended
    throw new TableError(opened.code, opened.message)
  }

  async run(requests: readonly SqliteRequest[]): Promise<SqliteAnswers> {
    const answers = this.#answer()
    this.#worker.postMessage(requests satisfies ToWorker)
    return (await answers) as SqliteAnswers
  }

  /** Resolves once the database is closed and the thread has ended. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#worker.ref()
    this.#worker.postMessage('close' satisfies ToWorker)
    await this.ended
  }

  #answer(): Promise<FromWorker> {
    assert(this.#outstanding === undefined, 'one message at a time')
    if (this.#death) return Promise.reject(this.#death)
    this.#worker.ref()
    return new Promise((resolve, reject) => {
      this.#outstanding = { resolve, reject }
    })
  }

  #answered(settle: (waiting: Outstanding) => void): void {
    const waiting = this.#outstanding
    this.#outstanding = undefined
    this.#worker.unref()
    if (waiting) settle(waiting)
  }

  #die(cause: Error): void {
    this.#death ??= cause
    this.#answered((waiting) => waiting.reject(cause))
  }
}
