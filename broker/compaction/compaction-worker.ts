import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { nodeClock } from '../runtime/node-clock.ts'
import { nodeDisk } from '../runtime/node-disk.ts'
import { CompactionError } from './compaction-io.ts'
import type { FromCompactionWorker, ToCompactionWorker } from './compaction-worker-client.ts'
import { InProcessCompaction } from './in-process-compaction.ts'

// The thread that compacts local logs, for as long as there is something to compact. A composition root: it makes the real
// clock and disk. What it does not expect ends it, and the broker's side hears of that.

/** From 0, as everybody else, to 19: a tenth of the share of a thread at 0 where both want the same processor. */
const niceness = 10

// On Linux this is about the calling thread alone.
if (process.platform === 'linux') setPriority(niceness)

const port = parentPort!
const io = new InProcessCompaction({ disk: nodeDisk, clock: nodeClock })

port.on('message', ({ id, call, args }: ToCompactionWorker) => {
  const post = (message: FromCompactionWorker) => port.postMessage(message)
  const run = io[call] as (...args: readonly unknown[]) => Promise<unknown>
  run.apply(io, args as unknown[]).then(
    (value) => post({ id, value }),
    (cause: Error) => post({ id, error: { code: cause instanceof CompactionError ? cause.code : 'failed', message: cause.message } }),
  ).finally(() => {
    if (call === 'close') port.close()
  })
})
