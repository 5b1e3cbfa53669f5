import assert from 'node:assert/strict'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { EncodedWrite } from './encoded-write.ts'
import type { SortRange } from './sort-range.ts'
import { type CommitResult, type Key, TableError } from './table.ts'

/*
 * The table in SQLite: one row per item, in the order that queries want. The synchronous core, which runs in a
 * thread of its own or, with `:memory:`, in a simulation.
 *
 *   p  partition   TEXT  ─┐ primary key; SQLite compares TEXT by its bytes, which is UTF-8 order
 *   s  sort key    TEXT  ─┘
 *   v  version     INTEGER
 *   d  the value   TEXT, as JSON
 *
 * WAL with synchronous=FULL: a commit is on stable storage when it returns. With NORMAL a power loss takes back
 * commits that were answered. Two processes may share a file; SQLite's locks order their transactions.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS items (
    p TEXT NOT NULL, s TEXT NOT NULL, v INTEGER NOT NULL, d TEXT NOT NULL, PRIMARY KEY (p, s)
  ) STRICT, WITHOUT ROWID
`
const formatVersion = 1
/** `LTtb`; marks the file as ours, so that a path to some other database is refused. */
const applicationId = 0x4c_54_74_62
const walBytesKept = 64 * 1024 * 1024

export interface Row {
  readonly sort: string
  readonly version: number
  readonly text: string
}

export interface SqliteDatabaseOptions {
  /** Of the file, whose directory exists; or `:memory:`. */
  readonly path: string
  /** How long another process may hold the write lock before a call fails as `away`. */
  readonly lockWaitMs: number
}

export class SqliteDatabase {
  readonly #database: DatabaseSync
  readonly #selectItem: StatementSync
  readonly #selectVersion: StatementSync
  readonly #upsert: StatementSync
  readonly #remove: StatementSync
  readonly #selectUp: StatementSync
  readonly #selectDown: StatementSync
  readonly #selectUpTo: StatementSync
  readonly #selectDownFrom: StatementSync
  #isBroken = false

  /** Throws `TableError`: `invalid` where the file is not a table of ours, `away` where it cannot be opened. */
  constructor({ path, lockWaitMs }: SqliteDatabaseOptions) {
    this.#database = this.#attempt(`open ${path}`, () => new DatabaseSync(path, { timeout: lockWaitMs }))
    try {
      this.#attempt(`open ${path}`, () => this.#prepareFile(path))
    } catch (cause) {
      this.#database.close()
      throw cause
    }
    const prepare = (sql: string) => this.#attempt('prepare', () => this.#database.prepare(sql))
    this.#selectItem = prepare('SELECT s, v, d FROM items WHERE p = ? AND s = ?')
    this.#selectVersion = prepare('SELECT v FROM items WHERE p = ? AND s = ?')
    this.#upsert = prepare(`INSERT INTO items VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET v = v + 1, d = excluded.d`)
    this.#remove = prepare('DELETE FROM items WHERE p = ? AND s = ?')
    this.#selectUp = prepare('SELECT s, v, d FROM items WHERE p = ? AND s >= ? ORDER BY s LIMIT ?')
    this.#selectDown = prepare('SELECT s, v, d FROM items WHERE p = ? AND s >= ? ORDER BY s DESC LIMIT ?')
    this.#selectUpTo = prepare('SELECT s, v, d FROM items WHERE p = ? AND s >= ? AND s < ? ORDER BY s LIMIT ?')
    this.#selectDownFrom = prepare('SELECT s, v, d FROM items WHERE p = ? AND s >= ? AND s < ? ORDER BY s DESC LIMIT ?')
  }

  get({ partition, sort }: Key): Row | undefined {
    return this.#attempt('read', () => this.#selectItem.all(partition, sort).map(rowOf)[0])
  }

  query(partition: string, { start = '', end, reverse, limit }: SortRange): Row[] {
    const count = limit === Infinity ? -1 : limit
    return this.#attempt('query', () => {
      if (end === undefined) return (reverse ? this.#selectDown : this.#selectUp).all(partition, start, count).map(rowOf)
      return (reverse ? this.#selectDownFrom : this.#selectUpTo).all(partition, start, end, count).map(rowOf)
    })
  }

  /**
   * Commits one after another in one transaction, so that all of them share one sync. Each sees what those before
   * it wrote. Expectations are looked at before anything of a commit is written, so one that conflicts leaves
   * nothing to undo. Throws `TableError` for all of them: `away` where nothing was written, `unknown` where the
   * end of the transaction failed.
   */
  commitTogether(commits: readonly (readonly EncodedWrite[])[]): CommitResult[] {
    this.#attempt('begin', () => this.#database.exec('BEGIN IMMEDIATE'))
    let results: CommitResult[]
    try {
      results = this.#attempt('write', () => commits.map((writes) => this.#commit(writes)))
    } catch (cause) {
      this.#rollBack()
      throw cause
    }
    try {
      this.#attempt('commit', () => this.#database.exec('COMMIT'))
    } catch (cause) {
      this.#rollBack()
      throw new TableError('unknown', 'a commit failed at its end and may have been written', cause)
    }
    return results
  }

  /** True after an error that leaves the state of the file in doubt: nothing may be read or written any more. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  close(): void {
    this.#database.close()
  }

  #prepareFile(path: string): void {
    const database = this.#database
    // One snapshot: another process may be making the tables at this moment, and then they have an owner.
    database.exec('BEGIN')
    const owner = database.prepare('PRAGMA application_id').get()?.['application_id']
    const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count']
    const version = database.prepare('PRAGMA user_version').get()?.['user_version'] as number
    database.exec('COMMIT')
    if (owner !== applicationId && tables !== 0) throw new TableError('invalid', `${path} is not a table of Longtail`)
    if (version > formatVersion) throw new TableError('invalid', `${path} has format ${version}, only ${formatVersion} is known`)
    const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
    if (mode !== 'wal' && mode !== 'memory') throw new TableError('invalid', `${path}: no write-ahead log here, only ${mode}`)
    database.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${walBytesKept}`)
    assert.equal(database.prepare('PRAGMA synchronous').get()?.['synchronous'], 2, 'SQLite syncs at every commit')
    database.exec(`BEGIN IMMEDIATE; ${schema};
      PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}; COMMIT`)
  }

  #commit(writes: readonly EncodedWrite[]): CommitResult {
    const conflicts = writes.filter((write) => !this.#holds(write)).map(({ key }) => key)
    if (conflicts.length > 0) return { committed: false, conflicts }
    for (const write of writes) {
      const { partition, sort } = write.key
      if (write.kind === 'put') this.#upsert.run(partition, sort, write.text)
      if (write.kind === 'delete') this.#remove.run(partition, sort)
    }
    return { committed: true }
  }

  #holds({ key, expect }: EncodedWrite): boolean {
    if (expect === 'any') return true
    const version = this.#selectVersion.get(key.partition, key.sort)?.['v']
    return expect === 'absent' ? version === undefined : version === expect
  }

  #rollBack(): void {
    // SQLite has rolled back by itself after some errors.
    if (!this.#isBroken && this.#database.isTransaction) this.#attempt('roll back', () => this.#database.exec('ROLLBACK'))
  }

  #attempt<T>(operation: string, run: () => T): T {
    if (this.#isBroken) throw new TableError('away', 'the table failed before and stays closed until the broker starts again')
    try {
      return run()
    } catch (cause) {
      if (cause instanceof TableError) throw cause
      const code = primaryCode(cause)
      this.#isBroken = !survivable.has(code)
      throw new TableError(code === notADatabase ? 'invalid' : 'away', `${operation}: ${(cause as Error).message}`, cause)
    }
  }
}

const notADatabase = 26
/**
 * BUSY, LOCKED, NOMEM, FULL and CANTOPEN say that nothing happened. After any other error, a failed sync above
 * all, the pages in memory may not be those on disk, and a second sync would claim success: nothing is retried.
 */
const survivable: ReadonlySet<number> = new Set([5, 6, 7, 13, 14])

/** The extended codes keep the primary one in their lowest byte. */
function primaryCode(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 1) & 0xff
}

function rowOf(columns: Record<string, unknown>): Row {
  return { sort: columns['s'] as string, version: columns['v'] as number, text: columns['d'] as string }
}
