// All that the tier does with bytes: objects, blocks, checksums, segments on their way up. In production this is a
// thread of its own, so that whoever reads history does not slow down whoever writes; in tests and the simulator it is
// a few objects in the same process. What passes through here is plain data, and buffers that change hands.
//
// Every call that fails rejects with `TierError`.

import type { AbortedTransaction } from '../log/sealed-segment.ts'
import type { ListedObject } from '../objects/object-store.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import type { Uuid } from '../runtime/random.ts'
import type { CompactionIo, CompactionIoLimits } from './compaction/compaction-io.ts'
import type { ObjectFooter, Section } from './object-format.ts'
import type { EpochEntry, SectionKind } from './object-sections.ts'
import type { TieredSegment } from './tiered-segment.ts'

export interface TierIo extends CompactionIo {
  /**
   * Checks a sealed segment, stores it as one object under `job.key`, and looks that it is there whole. Calling it
   * again with the same job finds its own object. `damaged`: a batch on disk is; `missing`: the file is no longer there.
   */
  upload(job: UploadJob, signal?: AbortSignal): Promise<UploadedObject>
  /** Takes what is ready within `waitMs`; fills that are not go on for the next call. */
  read(request: SegmentRead): Promise<SegmentBatches>
  /** Starts to fetch the first `bytes` of a segment's batches, unless there is more urgent work. */
  readAhead(segment: TieredSegment, bytes: number): void
  /** The first record in [offset, endOffset) of the segment with this timestamp or a later one; no control records. */
  findTimestamp(search: TimestampSearch): Promise<FoundTimestamp | undefined>
  /** The bytes of some sections, checked, in the order of `kinds`. */
  sections(segment: TieredSegment, kinds: readonly SectionKind[]): Promise<Buffer[]>
  /** What an object says of itself, checked; `readsBatches`: those too, which reads all of it. */
  inspect(object: ObjectInspection): Promise<InspectedObject>
  /** Undefined where the store says that there is no such object. */
  objectBytes(key: string): Promise<number | undefined>
  /** In the order of keys. */
  listObjects(prefix: string, options: ListingOptions): Promise<readonly ListedObject[]>
  /** At most 1,000. No error where there is none. */
  deleteObjects(keys: readonly string[]): Promise<void>
  counts(): Promise<TierIoCounts>
  close(): Promise<void>
}

/** The records of a batch, decompressed to at most `bytesMax` bytes. Throws where they cannot be read. */
export type OpenRecords = (batch: RecordBatch, options: { readonly bytesMax: number }) => Iterable<OpenedRecord>

export interface OpenedRecord {
  readonly offset: number
  readonly timestamp: number
}

export interface ListingOptions {
  /** Only keys behind this one. */
  readonly after?: string | undefined
  /** At most 1,000. */
  readonly limit: number
}

export interface UploadJob {
  readonly key: string
  /** Absolute path of the file with the batches, which are its first `fileBytes` bytes. */
  readonly path: string
  readonly fileBytes: number
  readonly topicId: Uuid
  readonly partition: number
  /** The offsets that go up: [start, end). `start` is the first offset of a batch. */
  readonly start: number
  readonly end: number
  readonly epoch: number
  readonly generation: number
  readonly sealedAt: number
  readonly epochs: readonly EpochEntry[]
  readonly producers: Uint8Array
  /** All that have records or marker in [start, end). */
  readonly aborted: readonly AbortedTransaction[]
}

export interface UploadedObject {
  readonly bytes: number
  readonly batchesBytes: number
  readonly batchCount: number
  readonly recordCount: number
  readonly maxTimestamp: number
  /** Of the whole object. */
  readonly crc32c: number
  readonly formatVersion: number
  readonly sections: readonly Section[]
}

export interface SegmentRead {
  readonly segment: TieredSegment
  readonly offset: number
  /** No batch that begins here or later. */
  readonly endOffset: number
  readonly bytesMax: number
  /** The first batch is wanted even where it alone is larger than `bytesMax`. */
  readonly minOneBatch: boolean
  readonly waitMs: number
}

export interface SegmentBatches {
  /** Whole batches, each checked; the buffer is the caller's own. */
  readonly batches: Buffer
  /** Gives the memory of `batches` back once nobody can see it any more. Not to call it costs speed only. */
  release?(): void
  /** Where to read on: behind the last batch, or behind the segment where it has nothing at `offset` or later. */
  readonly nextOffset: number
  /** Those with records or marker in [offset, nextOffset). */
  readonly aborted: readonly AbortedTransaction[]
  /** Bytes of the segment's batches behind what was read. */
  readonly bytesLeft: number
  /** The wait ended before all that was wanted was there. */
  readonly isPending: boolean
}

export interface TimestampSearch {
  readonly segment: TieredSegment
  /** `largest`: the largest there is in the range, which reads all of it. */
  readonly timestamp: number | 'largest'
  readonly offset: number
  readonly endOffset: number
}

export interface FoundTimestamp {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface ObjectInspection {
  readonly key: string
  /** Of the whole object. */
  readonly bytes: number
  readonly readsBatches: boolean
}

export interface InspectedObject {
  readonly footer: ObjectFooter
  readonly epochs: readonly EpochEntry[]
  /** Of the whole object. */
  readonly crc32c: number
}

export interface TierIoCounts {
  readonly cacheHits: number
  readonly cacheMisses: number
  readonly fetchedBytes: number
  readonly cachedFileBytes: number
}

/** Limits of one `TierIo`, whoever implements it. */
export interface TierIoLimits extends CompactionIoLimits {
  /** Bytes of a cache block. */
  readonly blockBytes: number
  /** Bytes of blocks kept in memory, beside those that are being filled. */
  readonly blockMemoryBytesMax: number
  /** Bytes of blocks kept in the cache directory; 0: none are. */
  readonly blockFileBytesMax: number
  /** Blocks fetched at a time. */
  readonly fillsMax: number
  /** Blocks that wait to be fetched; more are refused. */
  readonly fillsQueuedMax: number
  /** Bytes of blocks that are fetched in a second; `Infinity`: no limit. */
  readonly fetchBytesPerSecond: number
  /** Bytes of segment indexes kept in memory. */
  readonly indexBytesMax: number
  /** Bytes that are fetched ahead of a reader, across segments. */
  readonly readAheadBytes: number
  /** Bytes of the largest batch; what claims to be larger is damaged. */
  readonly batchBytesMax: number
  /** Bytes of a batch's records when decompressed, for searches by timestamp. */
  readonly recordsBytesMax: number
  /** Bytes of batches between two entries of an object's offset index. */
  readonly indexIntervalBytes: number
  /** Bytes of batches that one checksum of an object covers; blocks should be a multiple of it. */
  readonly checksumBytes: number
  /** Bytes that an upload reads and sends at a time. */
  readonly uploadChunkBytes: number
  /** Bytes that all uploads send together in a second; `Infinity`: no limit. */
  readonly uploadBytesPerSecond: number
  /** Milliseconds that the store may take for a read, a listing or a deletion. */
  readonly requestTimeoutMs: number
  /** Milliseconds that one upload may take, the rate limit included. */
  readonly uploadTimeoutMs: number
  /** Milliseconds for which a failed fetch stands before the store is asked again. */
  readonly failureHoldMs: number
}

const mebibyte = 1024 * 1024

export const tierIoLimits: TierIoLimits = {
  blockBytes: 4 * mebibyte,
  blockMemoryBytesMax: 64 * mebibyte,
  blockFileBytesMax: 1024 * mebibyte,
  fillsMax: 8,
  fillsQueuedMax: 1000,
  fetchBytesPerSecond: Infinity,
  indexBytesMax: 32 * mebibyte,
  readAheadBytes: 8 * mebibyte,
  batchBytesMax: 128 * mebibyte,
  recordsBytesMax: 256 * mebibyte,
  indexIntervalBytes: 64 * 1024,
  checksumBytes: 256 * 1024,
  uploadChunkBytes: mebibyte,
  uploadBytesPerSecond: Infinity,
  requestTimeoutMs: 30_000,
  uploadTimeoutMs: 600_000,
  failureHoldMs: 1000,
  compactionKeyBytesMax: 128 * mebibyte,
  compactionReadBytes: 4 * mebibyte,
  compactionTurnBytes: mebibyte / 4,
  compactionBytesPerSecond: 64 * mebibyte,
}
