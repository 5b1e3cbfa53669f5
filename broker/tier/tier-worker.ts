import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { openFolderStore } from '../objects/folder-store.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { openS3Store } from '../objects/s3-store.ts'
import { recordsOf } from '../protocol/records.ts'
import { BufferPool } from '../runtime/buffer-pool.ts'
import { nodeClock } from '../runtime/node-clock.ts'
import { nodeDisk } from '../runtime/node-disk.ts'
import { nodeRandom } from '../runtime/node-random.ts'
import { InProcessTierIo } from './in-process-tier-io.ts'
import { tierErrorOf } from './tier-error.ts'
import type { SegmentBatches } from './tier-io.ts'
import type { CallMessage, FromTierWorker, TierWorkerData, ToTierWorker } from './tier-worker-messages.ts'

// The thread that does the tier's I/O, with its own client of the object store, its own cache and its own garbage to
// collect. A composition root: it makes the real clock, dice and disk. What it does not expect ends it, and the
// broker's side hears of that.

/** From 0, as everybody else, to 19: a tenth of the share of a thread at 0 where both want the same processor. */
const niceness = 10

// On Linux this is about the calling thread alone: history waits for a processor that hot traffic leaves free.
if (process.platform === 'linux') setPriority(niceness)

const port = parentPort!
const post = (message: FromTierWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

const { store, createMissing = false, cacheDirectory, limits } = workerData as TierWorkerData
/** Bytes of memory for reads that is kept to be used again. */
const pooledBytesMax = 16 * 1024 * 1024
const pool = new BufferPool(pooledBytesMax)
const io = await InProcessTierIo.open({
  store: await openStore(), disk: nodeDisk, clock: nodeClock, limits, cacheDirectory, recordsOf, pool,
  onFault: (doing, cause) => post({ fault: `${doing}: ${String(cause)}` }),
})
const uploads = new Map<number, AbortController>()

port.on('message', (message: ToTierWorker) => {
  if (message === 'close') void io.close().finally(() => port.close())
  else if ('abort' in message) uploads.get(message.abort)?.abort()
  else if ('give' in message) pool.give(Buffer.from(message.give))
  else void answer(message)
})
post('opened')

async function answer({ id, call, args }: CallMessage): Promise<void> {
  try {
    const value = await run({ id, call, args })
    post({ id, value }, call === 'read' ? buffersOf(value as SegmentBatches) : [])
  } catch (cause) {
    const { code, message } = tierErrorOf(call, cause)
    post({ id, error: { code, message } })
  }
}

async function run({ id, call, args }: CallMessage): Promise<unknown> {
  if (call !== 'upload') return (io[call] as (...args: readonly unknown[]) => unknown)(...args)
  const abort = new AbortController()
  uploads.set(id, abort)
  try {
    return await io.upload(args[0] as Parameters<typeof io.upload>[0], abort.signal)
  } finally {
    uploads.delete(id)
  }
}

/** A read's batches are in a buffer of their own, and nobody here looks at it again. */
function buffersOf({ batches }: SegmentBatches): ArrayBuffer[] {
  return batches.length > 0 ? [batches.buffer as ArrayBuffer] : []
}

function openStore(): Promise<ObjectStore> {
  const ports = { clock: nodeClock, random: nodeRandom }
  return store.kind === 's3'
    ? openS3Store({ ...store, ...ports, createMissing })
    : openFolderStore({ path: store.path, disk: nodeDisk, ...ports })
}
