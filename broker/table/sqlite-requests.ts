import type { EncodedWrite } from './encoded-write.ts'
import type { SortRange } from './sort-range.ts'
import type { Row, SqliteDatabase } from './sqlite-database.ts'
import { type CommitResult, type Key, TableError } from './table.ts'

/** What a table asks of its database; plain values, fit for a message to another thread. */
export type SqliteRequest =
  | { readonly kind: 'get'; readonly key: Key }
  | { readonly kind: 'query'; readonly partition: string; readonly range: SortRange }
  | { readonly kind: 'commit'; readonly writes: readonly EncodedWrite[] }

export type SqliteAnswer =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  | { readonly kind: 'result'; readonly result: CommitResult }
  | { readonly kind: 'failure'; readonly code: TableError['code']; readonly message: string }

export interface SqliteAnswers {
  readonly answers: readonly SqliteAnswer[]
  /** The database will not answer again. */
  readonly isBroken: boolean
}

/**
 * Answers requests that waited together. Their commits share one transaction and go first: no answer was given
 * yet, so reads may come behind all of them, and then see the latest.
 */
export function answerRequests(database: SqliteDatabase, requests: readonly SqliteRequest[]): SqliteAnswers {
  const commits = requests.filter((request) => request.kind === 'commit').map(({ writes }) => writes)
  const results = commits.length === 0 ? [] : commitAnswers(database, commits)
  const answers = requests.map((request) => (request.kind === 'commit' ? results.shift()! : readAnswer(database, request)))
  return { answers, isBroken: database.isBroken }
}

function commitAnswers(database: SqliteDatabase, commits: readonly (readonly EncodedWrite[])[]): SqliteAnswer[] {
  try {
    return database.commitTogether(commits).map((result) => ({ kind: 'result', result }))
  } catch (cause) {
    return commits.map(() => failure(cause))
  }
}

function readAnswer(database: SqliteDatabase, request: SqliteRequest & { readonly kind: 'get' | 'query' }): SqliteAnswer {
  try {
    if (request.kind === 'query') return { kind: 'rows', rows: database.query(request.partition, request.range) }
    const row = database.get(request.key)
    return { kind: 'rows', rows: row ? [row] : [] }
  } catch (cause) {
    return failure(cause)
  }
}

/** Errors lose their class on the way between threads, so they travel as what they say. */
export function failure(cause: unknown): SqliteAnswer & { readonly kind: 'failure' } {
  if (!(cause instanceof TableError)) throw cause
  const because = cause.cause instanceof Error ? `: ${cause.cause.message}` : ''
  return { kind: 'failure', code: cause.code, message: cause.message.includes(because) ? cause.message : cause.message + because }
}
