import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { SqliteDatabase } from '../../broker/table/sqlite-database.ts'
import type { SqliteRequest } from '../../broker/table/sqlite-requests.ts'
import { openSqliteTable, SqliteTable, type SqliteRunner } from '../../broker/table/sqlite-table.ts'
import { SqliteThread } from '../../broker/table/sqlite-thread.ts'
import { type Table, TableError, type Write } from '../../broker/table/table.ts'
import { tableCases } from '../cases/table.cases.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const directory = temporaryDirectory()
let files = 0
const tableModule = new URL('../../broker/table/sqlite-table.ts', import.meta.url).href
const newPath = () => join(directory, `${files++}.db`)

tableCases('SQLite in memory, in process', () => openSqliteTable({ path: ':memory:', runs: 'in process' }))
tableCases('SQLite in a file, in process', () => openSqliteTable({ path: newPath(), runs: 'in process' }))
tableCases('SQLite in a file, in a thread', () => openSqliteTable({ path: newPath() }))

const key = (sort: string) => ({ partition: 'p', sort })
const put = (sort: string): Write => ({ kind: 'put', key: key(sort), value: sort, expect: 'absent' })
const isError = (code: TableError['code']) => (error: unknown) => error instanceof TableError && error.code === code

describe('the file', () => {
  it('what was committed is there when the file is opened again', async () => {
    const path = newPath()
    const first = await openSqliteTable({ path })
    await first.commit([put('a'), put('b')])
    await first.close()
    const second = await openSqliteTable({ path })
    assert.deepEqual(
      (await second.query('p')).map(({ sort }) => sort),
      ['a', 'b'],
    )
    await second.close()
  })

  it('the file has a write-ahead log', () => {
    const path = newPath()
    const database = new SqliteDatabase({ path, lockWaitMs: 0 })
    const other = new DatabaseSync(path)
    assert.equal(other.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'wal')
    other.close()
    database.close()
  })

  it('a process that is killed right after a commit was answered has committed', async () => {
    const path = newPath()
    const script = `
      const { openSqliteTable } = await import(${JSON.stringify(tableModule)})
      const table = await openSqliteTable({ path: ${JSON.stringify(path)} })
      for (let n = 0; ; n++) {
        await table.commit([{ kind: 'put', key: { partition: 'p', sort: 'n' }, value: n, expect: n === 0 ? 'absent' : n }])
        process.stdout.write(n + '\\n')
      }`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    for await (const chunk of child.stdout) {
      output += chunk
      if (output.includes('\n20\n')) child.kill('SIGKILL')
    }
    const answered = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1))
    const table = await openSqliteTable({ path })
    const found = (await table.get(key('n')))?.value as number
    // The commit under way when the kill came may have been written without an answer.
    assert.ok(found === answered || found === answered + 1, `answered ${answered}, found ${found}`)
    await table.close()
  })

  it('two tables on one file agree: of two writers who race 50 times, exactly one wins each time', async () => {
    const path = newPath()
    const tables = await Promise.all([openSqliteTable({ path }), openSqliteTable({ path })])
    for (let round = 0; round < 50; round++) {
      const results = await Promise.all(tables.map((table) => table.commit([put(`${round}`)])))
      assert.equal(results.filter(({ committed }) => committed).length, 1)
    }
    await Promise.all(tables.map((table) => table.close()))
  })

  it('a write lock that another process keeps is a table that is away, and nothing is written', async () => {
    const path = newPath()
    const table = await openSqliteTable({ path, lockWaitMs: 20 })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await assert.rejects(table.commit([put('a')]), isError('away'))
    other.exec('ROLLBACK')
    other.close()
    assert.deepEqual(await table.commit([put('a')]), { committed: true })
    await table.close()
  })

  const strangers: readonly [string, (path: string) => void][] = [
    ['a database of somebody else', (path) => new DatabaseSync(path).exec('CREATE TABLE theirs (x)')],
    ['no database at all', (path) => writeFileSync(path, 'not a database, but text that is long enough'.repeat(20))],
    [
      'a table of a later format',
      (path) => {
        new SqliteDatabase({ path, lockWaitMs: 0 }).close()
        new DatabaseSync(path).exec('PRAGMA user_version = 2')
      },
    ],
  ]
  for (const [name, make] of strangers) {
    for (const runs of ['thread', 'in process'] as const) {
      it(`${name} is refused as invalid, ${runs}`, async () => {
        const path = newPath()
        make(path)
        await assert.rejects(openSqliteTable({ path, runs }), isError('invalid'))
      })
    }
  }

  it('a directory that does not exist is a table that is away', async () => {
    await assert.rejects(openSqliteTable({ path: join(directory, 'missing', 'table.db') }), isError('away'))
  })
})

/** Answers from a real database, batch by batch, when the test says so. */
class SteppedRunner implements SqliteRunner {
  readonly ended = new Promise<undefined>(() => {})
  readonly batches: number[] = []
  readonly #thread: SqliteThread
  #gate = Promise.withResolvers<void>()
  constructor(thread: SqliteThread) {
    this.#thread = thread
  }
  async run(requests: readonly SqliteRequest[]) {
    this.batches.push(requests.length)
    await this.#gate.promise
    return this.#thread.run(requests)
  }
  release() {
    this.#gate.resolve()
  }
  close() {
    return this.#thread.close()
  }
}

describe('the queue', () => {
  const stepped = async (options: ConstructorParameters<typeof SqliteTable>[1] = {}) => {
    const runner = new SteppedRunner(await SqliteThread.open({ path: ':memory:', lockWaitMs: 0 }))
    return { runner, table: new SqliteTable(runner, options) }
  }

  it('commits that wait while another is at the database go together', async () => {
    const { runner, table } = await stepped()
    const first = table.commit([put('first')])
    await Promise.resolve()
    const others = Array.from({ length: 30 }, (_, index) => table.commit([put(`${index % 25}`)]))
    runner.release()
    assert.deepEqual(await first, { committed: true })
    const results = await Promise.all(others)
    assert.deepEqual(runner.batches, [1, 30])
    assert.equal(results.filter(({ committed }) => committed).length, 25)
    await table.close()
  })

  it('more requests than may wait are refused as away, and those that wait are answered', async () => {
    const { runner, table } = await stepped({ waitingRequestsMax: 3, batchRequestsMax: 2 })
    const results = Array.from({ length: 4 }, (_, index) => table.commit([put(`${index}`)]))
    await assert.rejects(results[3]!, isError('away'))
    runner.release()
    await Promise.all(results.slice(0, 3))
    assert.deepEqual(runner.batches, [2, 1])
    await table.close()
  })

  it('more bytes than may wait are refused as away', async () => {
    const { runner, table } = await stepped({ waitingBytesMax: 1000 })
    const big = (sort: string): Write[] => [{ kind: 'put', key: key(sort), value: 'x'.repeat(600), expect: 'any' }]
    const first = table.commit(big('a'))
    await assert.rejects(table.commit(big('b')), isError('away'))
    runner.release()
    assert.deepEqual(await first, { committed: true })
    assert.deepEqual(await table.commit(big('b')), { committed: true })
    await table.close()
  })

  it('closing answers what waits, and refuses what comes later as away', async () => {
    const { runner, table } = await stepped()
    const commit = table.commit([put('a')])
    const closed = table.close()
    await assert.rejects(table.get(key('a')), isError('away'))
    runner.release()
    assert.deepEqual(await commit, { committed: true })
    await closed
    await table.close()
  })
})

describe('the thread', () => {
  /** A request that no table sends: the thread cannot take it apart and dies. */
  const poison = { kind: 'get' } as SqliteRequest

  it('a thread that dies rejects what is outstanding, a commit as unknown, and says so once', async () => {
    const thread = await SqliteThread.open({ path: newPath(), lockWaitMs: 0 })
    const failures: TableError[] = []
    // The thread dies over the first batch, whatever is in it.
    const runner: SqliteRunner = { ended: thread.ended, run: () => thread.run([poison]), close: () => thread.close() }
    const table = new SqliteTable(runner, { batchRequestsMax: 2, failed: (cause) => failures.push(cause) })
    const calls = [table.commit([put('a')]), table.get(key('a')), table.commit([put('b')])]
    const outcomes = await Promise.allSettled(calls)
    const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'answered'))
    assert.deepEqual(codes, ['unknown', 'away', 'away'])
    await assert.rejects(table.get(key('a')), isError('away'))
    await thread.ended
    assert.equal(failures.length, 1)
    await table.close()
  })

  it('a database that turns out damaged is reported once and answers nothing more', async () => {
    const path = newPath()
    const failures: TableError[] = []
    const table: Table = await openSqliteTable({ path, failed: (cause) => failures.push(cause) })
    await table.commit([put('a')])
    const other = new DatabaseSync(path)
    other.enableDefensive(false)
    other.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA writable_schema = ON')
    other.exec('UPDATE sqlite_schema SET rootpage = 999; PRAGMA schema_version = 77')
    other.close()
    await assert.rejects(table.commit([put('b')]), isError('away'))
    assert.equal(failures.length, 1)
    await assert.rejects(table.get(key('a')), isError('away'))
    await table.close()
    assert.equal(failures.length, 1)
  })

  it('an open table holds a process only while it owes an answer, and a closed one never', async () => {
    for (const close of ['', 'await table.close()']) {
      const script = `
        const { openSqliteTable } = await import(${JSON.stringify(tableModule)})
        const table = await openSqliteTable({ path: ${JSON.stringify(newPath())} })
        await table.commit([{ kind: 'put', key: { partition: 'p', sort: 's' }, value: 1, expect: 'absent' }])
        ${close}
        process.stdout.write('done')`
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
      let [output, errors] = ['', '']
      child.stdout.on('data', (chunk) => (output += chunk))
      child.stderr.on('data', (chunk) => (errors += chunk))
      const [code] = await once(child, 'close')
      assert.deepEqual({ code, output, errors }, { code: 0, output: 'done', errors: '' })
    }
  })
})
