// Entry of a worker thread: the hooks that the test runner puts on every promise cost more than the runs themselves.

import { parentPort, workerData } from 'node:worker_threads'
import { CrashRun } from './crash-run.ts'

export interface Seeds {
  readonly first: number
  /** Exclusive. */
  readonly end: number
}

const { first, end } = workerData as Seeds
for (let seed = first; seed < end; seed++) {
  try {
    await new CrashRun(seed).go()
  } catch (cause) {
    throw new Error(`LONGTAIL_SEED=${seed}: ${(cause as Error).stack}`)
  }
}
parentPort?.postMessage('done')
