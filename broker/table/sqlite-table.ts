import { bytesOf, checkKey, encodeWrites } from './encoded-write.ts'
import { sortRange } from './sort-range.ts'
import { type Row, SqliteDatabase } from './sqlite-database.ts'
import { answerRequests, type SqliteAnswer, type SqliteAnswers, type SqliteRequest } from './sqlite-requests.ts'
import { SqliteThread } from './sqlite-thread.ts'
import { type CommitResult, type Item, type Json, type Key, type Range, type Table, TableError, type Write } from './table.ts'

export interface SqliteTableOptions {
  /** Of the file, whose directory exists; or `:memory:`. */
  readonly path: string
  /** Where the database runs: a thread of its own, or at once in the caller's, which a simulation wants. Default `thread`. */
  readonly runs?: 'thread' | 'in process'
  /** Requests that may wait; more are refused as `away`. Default 10,000. */
  readonly waitingRequestsMax?: number
  /** Bytes of values that may wait. Default 64 MiB. */
  readonly waitingBytesMax?: number
  /** Requests that share one transaction and one sync. Default 512. */
  readonly batchRequestsMax?: number
  /** How long another process may hold the write lock. Default 5,000. */
  readonly lockWaitMs?: number
  /** Called once where the database or its thread is beyond use: the broker has to stop. */
  readonly failed?: (cause: TableError) => void
}

/** Where the database is: runs batches one after another. */
export interface SqliteRunner {
  run(requests: readonly SqliteRequest[]): Promise<SqliteAnswers>
  close(): Promise<void>
  /** Resolves when it has ended, with the cause unless `close` was it. */
  readonly ended: Promise<Error | undefined>
}

/** Rejects with `TableError`: `invalid` where the file is none of ours, `away` where it cannot be opened. */
export async function openSqliteTable(options: SqliteTableOptions): Promise<Table> {
  const database = { path: options.path, lockWaitMs: options.lockWaitMs ?? 5_000 }
  const runner = options.runs === 'in process' ? inProcess(new SqliteDatabase(database)) : await SqliteThread.open(database)
  return new SqliteTable(runner, options)
}

function inProcess(database: SqliteDatabase): SqliteRunner {
  return {
    ended: new Promise(() => {}),
    run: async (requests) => answerRequests(database, requests),
    close: async () => database.close(),
  }
}

interface Waiting {
  readonly request: SqliteRequest
  readonly bytes: number
  readonly resolve: (answer: SqliteAnswer) => void
  readonly reject: (cause: TableError) => void
}

/** Requests that arrive while a batch is at the database make up the next one: under load many share a sync. */
export class SqliteTable implements Table {
  readonly #runner: SqliteRunner
  readonly #waitingRequestsMax: number
  readonly #waitingBytesMax: number
  readonly #batchRequestsMax: number
  readonly #failed: (cause: TableError) => void
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #working: Promise<void> | undefined
  #end: TableError | undefined
  #hasFailed = false
  #closing: Promise<void> | undefined

  constructor(runner: SqliteRunner, options: Omit<SqliteTableOptions, 'path' | 'runs' | 'lockWaitMs'> = {}) {
    this.#runner = runner
    this.#waitingRequestsMax = options.waitingRequestsMax ?? 10_000
    this.#waitingBytesMax = options.waitingBytesMax ?? 64 * 1024 * 1024
    this.#batchRequestsMax = options.batchRequestsMax ?? 512
    this.#failed = options.failed ?? (() => {})
    void runner.ended.then((cause) => {
      if (cause) this.#fail(new TableError('away', 'the database is gone', cause))
    })
  }

  async get(key: Key): Promise<Item | undefined> {
    checkKey(key)
    const [row] = await this.#rows({ kind: 'get', key: { partition: key.partition, sort: key.sort } })
    return row && itemOf(key.partition, row)
  }

  async query(partition: string, range?: Range): Promise<Item[]> {
    const wanted = sortRange(partition, range)
    if (wanted === undefined) return []
    const rows = await this.#rows({ kind: 'query', partition, range: wanted })
    return rows.map((row) => itemOf(partition, row))
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    const encoded = encodeWrites(writes)
    if (encoded.length === 0) return { committed: true }
    const answer = await this.#ask({ kind: 'commit', writes: encoded }, bytesOf(encoded))
    if (answer.kind === 'result') return answer.result
    throw new TableError('unknown', 'the database gave no answer to a commit')
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#end ??= new TableError('away', 'the table is closed')
    await this.#working
    await this.#runner.close()
  }

  async #rows(request: SqliteRequest): Promise<readonly Row[]> {
    const answer = await this.#ask(request, 0)
    if (answer.kind === 'rows') return answer.rows
    throw new TableError('away', 'the database gave no answer to a read')
  }

  async #ask(request: SqliteRequest, bytes: number): Promise<SqliteAnswer> {
    if (this.#end) throw this.#end
    const isFull = this.#waiting.length >= this.#waitingRequestsMax || this.#waitingBytes + bytes > this.#waitingBytesMax
    if (isFull) {
      throw new TableError('away', `${this.#waiting.length} requests wait with ${this.#waitingBytes} bytes, no more are taken`)
    }
    const answer = await new Promise<SqliteAnswer>((resolve, reject) => {
      this.#waiting.push({ request, bytes, resolve, reject })
      this.#waitingBytes += bytes
      this.#working ??= this.#work()
    })
    if (answer.kind === 'failure') throw new TableError(answer.code, answer.message)
    return answer
  }

  async #work(): Promise<void> {
    // What the callers of this turn of the event loop ask for goes together.
    await undefined
    while (this.#waiting.length > 0) await this.#runBatch(this.#waiting.splice(0, this.#batchRequestsMax))
    this.#working = undefined
  }

  async #runBatch(batch: readonly Waiting[]): Promise<void> {
    for (const { bytes } of batch) this.#waitingBytes -= bytes
    try {
      const { answers, isBroken } = await this.#runner.run(batch.map(({ request }) => request))
      if (isBroken) this.#fail(new TableError('away', 'the database is beyond use'))
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index]!)
    } catch (cause) {
      this.#fail(new TableError('away', 'the database is gone', cause))
      const unknown = new TableError('unknown', 'the database went away during a commit', cause)
      for (const { request, reject } of batch) reject(request.kind === 'commit' ? unknown : this.#end!)
    }
  }

  #fail(cause: TableError): void {
    const isFirst = !this.#hasFailed
    this.#hasFailed = true
    this.#end = cause
    for (const { reject } of this.#waiting.splice(0)) reject(cause)
    this.#waitingBytes = 0
    if (isFirst) this.#failed(cause)
  }
}

function itemOf(partition: string, { sort, version, text }: Row): Item {
  return { partition, sort, version, value: JSON.parse(text) as Json }
}
