import { Worker } from 'node:worker_threads'
import type { ListedObject } from '../objects/object-store.ts'
import type { Uuid } from '../runtime/random.ts'
import { WorkerCalls } from '../runtime/worker-calls.ts'
import type {
  CompactionCounts, CompactionGroup, CompactionOpening, FilledObject, LearntKeys, ObjectToStore,
} from './compaction/compaction-io.ts'
import type { SectionKind } from './object-sections.ts'
import { TierError } from './tier-error.ts'
import type {
  FoundTimestamp, InspectedObject, ListingOptions, ObjectInspection, SegmentBatches, SegmentRead, TierIo, TierIoCounts,
  TimestampSearch, UploadedObject, UploadJob,
} from './tier-io.ts'
import type { FromTierWorker, TierIoCall, TierWorkerData, ToTierWorker } from './tier-worker-messages.ts'
import type { TieredSegment } from './tiered-segment.ts'

export interface TierWorkerOptions extends TierWorkerData {
  /** The thread's file, where it is not beside this one: a bundle may have moved it. */
  readonly entry?: URL
  /** Calls that may be under way at the same time; more are refused as `busy`. */
  readonly callsMax: number
  /** Something failed in the thread that costs speed only. */
  onFault(fault: string): void
  /** The thread has ended, although nobody closed it: every call under way has failed, and every further one will. */
  onDeath(cause: Error): void
}

/** The tier's I/O in a thread of its own; this is the broker's side of it. */
export class TierWorkerClient implements TierIo {
  readonly #options: TierWorkerOptions
  readonly #worker: Worker
  readonly #calls: WorkerCalls
  readonly #ended: Promise<void>
  readonly #opened = Promise.withResolvers<void>()
  #isOpen = false
  #isClosing = false

  private constructor(options: TierWorkerOptions) {
    const { store, createMissing = false, cacheDirectory, limits } = options
    this.#options = options
    // The same ending as this file's own: `.ts` from source, `.js` in the published package.
    const entry = options.entry ?? new URL(import.meta.url.replace(/tier-worker-client(\.\w+)$/, 'tier-worker$1'))
    this.#worker = new Worker(entry, { workerData: { store, createMissing, cacheDirectory, limits } satisfies TierWorkerData })
    this.#calls = new WorkerCalls(this.#worker)
    this.#worker.on('message', (message: FromTierWorker) => this.#hear(message))
    this.#worker.on('error', (cause) => this.#die(new TierError('stopped', 'the thread of the tier failed', cause)))
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#die(new TierError('stopped', `the thread of the tier ended with code ${code}`))
        resolve()
      })
    })
  }

  /** Rejects with `TierError` where store or cache directory cannot be opened. */
  static async open(options: TierWorkerOptions): Promise<TierWorkerClient> {
    const client = new TierWorkerClient(options)
    client.#worker.ref()
    await client.#opened.promise
    client.#isOpen = true
    client.#worker.unref()
    return client
  }

  async upload(job: UploadJob, signal?: AbortSignal): Promise<UploadedObject> {
    if (signal?.aborted) throw new TierError('away', 'the upload was stopped')
    const id = this.#calls.nextId()
    const abort = () => this.#worker.postMessage({ abort: id } satisfies ToTierWorker)
    signal?.addEventListener('abort', abort)
    try {
      return await this.#call<UploadedObject>('upload', [job], id)
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  async read(request: SegmentRead): Promise<SegmentBatches> {
    const found = await this.#call<SegmentBatches>('read', [request])
    const batches = bufferOf(found.batches)
    return { ...found, batches, release: () => this.#giveBack(batches.buffer as ArrayBuffer) }
  }

  readAhead(segment: TieredSegment, bytes: number): void {
    this.#call('readAhead', [segment, bytes]).catch(() => {})
  }

  findTimestamp(search: TimestampSearch): Promise<FoundTimestamp | undefined> {
    return this.#call('findTimestamp', [search])
  }

  async sections(segment: TieredSegment, kinds: readonly SectionKind[]): Promise<Buffer[]> {
    return (await this.#call<Uint8Array[]>('sections', [segment, kinds])).map(bufferOf)
  }

  openCompaction(opening: CompactionOpening): Promise<LearntKeys> {
    return this.#call('openCompaction', [opening])
  }

  beginGroup(group: CompactionGroup): Promise<void> {
    return this.#call('beginGroup', [group])
  }

  nextObject(session: Uuid): Promise<FilledObject | undefined> {
    return this.#call('nextObject', [session])
  }

  storeObject(object: ObjectToStore): Promise<UploadedObject> {
    return this.#call('storeObject', [object])
  }

  closeCompaction(session: Uuid): Promise<CompactionCounts | undefined> {
    return this.#call('closeCompaction', [session])
  }

  inspect(object: ObjectInspection): Promise<InspectedObject> {
    return this.#call('inspect', [object])
  }

  objectBytes(key: string): Promise<number | undefined> {
    return this.#call('objectBytes', [key])
  }

  listObjects(prefix: string, options: ListingOptions): Promise<ListedObject[]> {
    return this.#call('listObjects', [prefix, options])
  }

  deleteObjects(keys: readonly string[]): Promise<void> {
    return this.#call('deleteObjects', [keys])
  }

  counts(): Promise<TierIoCounts> {
    return this.#call('counts', [])
  }

  /** Resolves once the store is closed and the thread has ended. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#worker.ref()
    if (!this.#calls.isDead) this.#worker.postMessage('close' satisfies ToTierWorker)
    await this.#ended
  }

  /** Left to this thread's collector, buffers that the other one made would bring a full collection every 64 MiB. */
  #giveBack(give: ArrayBuffer): void {
    if (!this.#calls.isDead && give.byteLength > 0) this.#worker.postMessage({ give } satisfies ToTierWorker, [give])
  }

  async #call<T>(call: TierIoCall, args: readonly unknown[], id?: number): Promise<T> {
    const { callsMax } = this.#options
    if (!this.#calls.isDead && this.#calls.size >= callsMax) throw new TierError('busy', `${callsMax} calls are under way`)
    return this.#calls.call(call, args, id)
  }

  #hear(message: FromTierWorker): void {
    if (message === 'opened') return this.#opened.resolve()
    if ('fault' in message) return this.#options.onFault(message.fault)
    this.#calls.settle(message, (error) => new TierError(error.code, error.message))
  }

  #die(cause: TierError): void {
    if (!this.#calls.die(cause)) return
    this.#opened.reject(cause)
    this.#opened.promise.catch(() => {})
    if (this.#isOpen && !this.#isClosing) this.#options.onDeath(cause)
  }
}

/** A buffer arrives as the plain array of bytes that it is. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
