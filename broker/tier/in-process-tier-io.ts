import type { ListedObject, ObjectStore } from '../objects/object-store.ts'
import { BufferPool } from '../runtime/buffer-pool.ts'
import { ByteRate } from '../runtime/byte-rate.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Disk } from '../runtime/disk.ts'
import type { Uuid } from '../runtime/random.ts'
import { BlockCache } from './block-cache.ts'
import { BlockFiles } from './block-files.ts'
import type {
  CompactionCounts, CompactionGroup, CompactionOpening, FilledObject, LearntKeys, ObjectToStore,
} from './compaction/compaction-io.ts'
import { CompactionSessions } from './compaction/compaction-sessions.ts'
import { inspectObject } from './object-inspection.ts'
import type { SectionKind } from './object-sections.ts'
import { SegmentIndexes } from './segment-index.ts'
import { SegmentReader } from './segment-reader.ts'
import { uploadSegment } from './segment-upload.ts'
import type {
  FoundTimestamp, InspectedObject, ListingOptions, ObjectInspection, OpenRecords, SegmentBatches, SegmentRead, TierIo,
  TierIoCounts,
  TierIoLimits, TimestampSearch, UploadedObject, UploadJob,
} from './tier-io.ts'
import type { TieredSegment } from './tiered-segment.ts'
import { callWithin } from './within.ts'

export interface InProcessTierIoOptions {
  readonly store: ObjectStore
  readonly disk: Disk
  readonly clock: Clock
  readonly limits: TierIoLimits
  /** Where blocks are cached; its own directory. Used only where `limits.blockFileBytesMax` is not 0. */
  readonly cacheDirectory: string
  readonly recordsOf: OpenRecords
  /** Memory for what is read. */
  readonly pool?: BufferPool
  /** Something failed that costs speed only. */
  onFault(doing: string, cause: unknown): void
}

/** The tier's I/O in the calling thread: in the simulator, in tests, and inside the worker. */
export class InProcessTierIo implements TierIo {
  readonly #options: InProcessTierIoOptions
  readonly #rate: ByteRate
  readonly #files: BlockFiles | undefined
  readonly #blocks: BlockCache
  readonly #indexes: SegmentIndexes
  readonly #reader: SegmentReader
  readonly #compactions: CompactionSessions

  private constructor(options: InProcessTierIoOptions, files: BlockFiles | undefined) {
    const { store, clock, limits, recordsOf, pool = new BufferPool(0) } = options
    const { requestTimeoutMs: fetchTimeoutMs, failureHoldMs } = limits
    this.#options = options
    this.#files = files
    this.#rate = new ByteRate(clock, limits.uploadBytesPerSecond)
    this.#blocks = new BlockCache(
      { store, clock, files, limits: { ...limits, memoryBytesMax: limits.blockMemoryBytesMax, fetchTimeoutMs } }
    )
    this.#indexes = new SegmentIndexes({ store, clock, bytesMax: limits.indexBytesMax, fetchTimeoutMs, failureHoldMs })
    this.#reader = new SegmentReader({ clock, blocks: this.#blocks, indexes: this.#indexes, limits, recordsOf, pool })
    this.#compactions = new CompactionSessions({
      store, clock, limits, uploadRate: this.#rate, readRate: new ByteRate(clock, limits.compactionBytesPerSecond),
      sectionsOf: (segment, kinds) => this.#indexes.sections(segment, kinds),
    })
  }

  /** Throws `DiskError` where the cache directory cannot be had. */
  static async open(options: InProcessTierIoOptions): Promise<InProcessTierIo> {
    const { disk, cacheDirectory: directory, onFault, limits } = options
    const hasFiles = limits.blockFileBytesMax > 0
    const files = hasFiles ? await BlockFiles.open({ disk, directory, bytesMax: limits.blockFileBytesMax, onFault }) : undefined
    return new InProcessTierIo(options, files)
  }

  upload(job: UploadJob, signal?: AbortSignal): Promise<UploadedObject> {
    return uploadSegment({ ...this.#options, rate: this.#rate }, job, signal)
  }

  read(request: SegmentRead): Promise<SegmentBatches> {
    return this.#reader.read(request)
  }

  readAhead(segment: TieredSegment, bytes: number): void {
    this.#reader.readAhead(segment, bytes)
  }

  findTimestamp(search: TimestampSearch): Promise<FoundTimestamp | undefined> {
    return this.#reader.findTimestamp(search)
  }

  sections(segment: TieredSegment, kinds: readonly SectionKind[]): Promise<Buffer[]> {
    return this.#indexes.sections(segment, kinds)
  }

  openCompaction(opening: CompactionOpening): Promise<LearntKeys> {
    return this.#compactions.openCompaction(opening)
  }

  beginGroup(group: CompactionGroup): Promise<void> {
    return this.#compactions.beginGroup(group)
  }

  nextObject(session: Uuid): Promise<FilledObject | undefined> {
    return this.#compactions.nextObject(session)
  }

  storeObject(object: ObjectToStore): Promise<UploadedObject> {
    return this.#compactions.storeObject(object)
  }

  closeCompaction(session: Uuid): Promise<CompactionCounts | undefined> {
    return this.#compactions.closeCompaction(session)
  }

  inspect(object: ObjectInspection): Promise<InspectedObject> {
    const { blockBytes: chunkBytes, requestTimeoutMs } = this.#options.limits
    return inspectObject({ ...this.#options, chunkBytes, requestTimeoutMs }, object)
  }

  async objectBytes(key: string): Promise<number | undefined> {
    return (await this.#call(`looking for ${key}`, (signal) => this.#options.store.head(key, signal)))?.length
  }

  listObjects(prefix: string, { after, limit }: ListingOptions): Promise<ListedObject[]> {
    const behind = after === undefined ? {} : { after }
    return this.#call(`listing ${prefix}`, (signal) => this.#options.store.list(prefix, { ...behind, limit, signal }))
  }

  deleteObjects(keys: readonly string[]): Promise<void> {
    return this.#call(`deleting ${keys.length} objects`, (signal) => this.#options.store.delete(keys, signal))
  }

  async counts(): Promise<TierIoCounts> {
    const { hits, misses, fetchedBytes } = this.#blocks.counts
    return { cacheHits: hits, cacheMisses: misses, fetchedBytes, cachedFileBytes: this.#files?.bytes ?? 0 }
  }

  async close(): Promise<void> {
    this.#compactions.end()
    await this.#options.store.close()
  }

  #call<T>(doing: string, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, limits } = this.#options
    return callWithin(doing, { clock, timeoutMs: limits.requestTimeoutMs }, call)
  }
}
