import { parentPort, workerData } from 'node:worker_threads'
import { SqliteDatabase, type SqliteDatabaseOptions } from './sqlite-database.ts'
import { answerRequests, failure, type SqliteAnswer, type SqliteAnswers, type SqliteRequest } from './sqlite-requests.ts'

// The thread that owns the database: a commit waits for the disk, and the broker's event loop must not.
//
//   to the thread     SqliteRequest[]   one batch at a time        'close'
//   from the thread   WorkerOpened      once, at the start
//                     SqliteAnswers     one per batch, in order    then it ends

export type ToWorker = readonly SqliteRequest[] | 'close'
export type WorkerOpened = { readonly kind: 'opened' } | (SqliteAnswer & { readonly kind: 'failure' })
export type FromWorker = WorkerOpened | SqliteAnswers

const port = parentPort!
const post = (message: FromWorker) => port.postMessage(message)

try {
  const database = new SqliteDatabase(workerData as SqliteDatabaseOptions)
  port.on('message', (message: ToWorker) => {
    if (message !== 'close') return post(answerRequests(database, message))
    database.close()
    port.close()
  })
  post({ kind: 'opened' })
} catch (cause) {
  post(failure(cause))
}
