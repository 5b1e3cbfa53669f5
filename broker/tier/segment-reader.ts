import { MalformedMessage } from '../protocol/reader.ts'
import { batchesIn, type RecordBatch } from '../protocol/record-batch.ts'
import type { BufferPool } from '../runtime/buffer-pool.ts'
import type { Clock } from '../runtime/clock.ts'
import { type BatchCut, cutBatches } from './batch-cut.ts'
import type { BlockCache } from './block-cache.ts'
import type { SegmentIndex, SegmentIndexes } from './segment-index.ts'
import { TierError } from './tier-error.ts'
import type {
  FoundTimestamp, OpenedRecord, OpenRecords, SegmentBatches, SegmentRead, TierIoLimits, TimestampSearch,
} from './tier-io.ts'
import type { TieredSegment } from './tiered-segment.ts'
import { valueWithin } from './within.ts'

export interface SegmentReaderOptions {
  readonly clock: Clock
  readonly blocks: BlockCache
  readonly indexes: SegmentIndexes
  readonly limits: TierIoLimits
  readonly recordsOf: OpenRecords
  readonly pool: BufferPool
}

interface WantedWindow {
  readonly start: number
  readonly end: number
  readonly deadlineMs: number
}

interface Window {
  readonly bytes: Buffer
  /** The wait ended before all of it was there. */
  readonly isCut: boolean
}

/** Reads batches of tiered segments: index, blocks, cut. One per `TierIo`. */
export class SegmentReader {
  readonly #options: SegmentReaderOptions

  constructor(options: SegmentReaderOptions) {
    this.#options = options
  }

  async read(request: SegmentRead): Promise<SegmentBatches> {
    const { clock, indexes } = this.#options
    const deadlineMs = clock.monotonic() + request.waitMs
    const index = await valueWithin(clock, deadlineMs, indexes.load(request.segment))
    if (index === undefined) return pending(request)
    try {
      return await this.#readFrom(index, request, deadlineMs)
    } catch (cause) {
      if (!(cause instanceof TierError && cause.code === 'damaged')) throw cause
    }
    // The object may be well and our copy of it not: once more from the store.
    await this.#discardFrom(request.segment, index.positionOf(request.offset))
    return this.#readFrom(index, request, deadlineMs)
  }

  /** Starts to fetch the first `bytes` of the batches, once the index is there. */
  readAhead(segment: TieredSegment, bytes: number): void {
    this.#options.indexes.load(segment).then((index) => this.#readAhead(index, segment, { start: 0, end: bytes }), () => {})
  }

  #readAhead(index: SegmentIndex, segment: TieredSegment, { start, end }: { start: number; end: number }): void {
    const { blocks } = this.#options
    for (let at = start; at < end && at < segment.batchesBytes; at += blocks.blockBytes) blocks.readAhead(segment, at, index)
  }

  async findTimestamp({ segment, timestamp, offset, endOffset }: TimestampSearch): Promise<FoundTimestamp | undefined> {
    const isLargest = timestamp === 'largest'
    const index = await this.#options.indexes.load(segment)
    const start = isLargest ? offset : Math.max(offset, index.offsetBefore(timestamp) ?? segment.baseOffset)
    let found: FoundTimestamp | undefined
    for await (const batch of this.#batches(segment, start, endOffset)) {
      const least = isLargest ? (found?.timestamp ?? -1) + 1 : timestamp
      if (batch.isControl || batch.maxTimestamp < least) continue
      const record = this.#record(batch, { least, offset, endOffset, isLargest })
      if (record === undefined) continue
      found = { ...record, leaderEpoch: batch.leaderEpoch }
      if (!isLargest) return found
    }
    return found
  }

  async *#batches(segment: TieredSegment, start: number, endOffset: number): AsyncGenerator<RecordBatch> {
    const { requestTimeoutMs: waitMs } = this.#options.limits
    const bytesMax = this.#options.blocks.blockBytes
    for (let offset = start; offset < endOffset; ) {
      const read = await this.read({ segment, offset, endOffset, bytesMax, minOneBatch: true, waitMs })
      if (read.nextOffset === offset) {
        if (!read.isPending) return
        throw new TierError('away', `searching ${segment.key}: no answer within ${waitMs} ms`)
      }
      yield* batchesIn(read.batches)
      offset = read.nextOffset
    }
  }

  /** The first record with a timestamp of `least` or more, or the first of those with the largest one. */
  #record(batch: RecordBatch, want: { least: number; offset: number; endOffset: number; isLargest: boolean }) {
    const bytesMax = this.#options.limits.recordsBytesMax
    let found: OpenedRecord | undefined
    try {
      for (const { offset, timestamp } of this.#options.recordsOf(batch, { bytesMax })) {
        if (offset < want.offset || offset >= want.endOffset) continue
        if (timestamp < want.least || timestamp <= (found?.timestamp ?? -Infinity)) continue
        found = { offset, timestamp }
        if (!want.isLargest) return found
      }
    } catch (cause) {
      // What a client has compressed wrongly is nobody else's trouble: the batch as a whole is as near as one can get.
      if (!(cause instanceof MalformedMessage)) throw cause
      return { offset: Math.max(batch.baseOffset, want.offset), timestamp: batch.maxTimestamp }
    }
    return found
  }

  async #readFrom(index: SegmentIndex, request: SegmentRead, deadlineMs: number): Promise<SegmentBatches> {
    const { segment, offset, bytesMax } = request
    const { limits } = this.#options
    let position = index.positionOf(offset)
    let length = bytesMax + limits.indexIntervalBytes
    while (position < segment.batchesBytes) {
      const end = Math.min(position + length, segment.batchesBytes)
      const window = await this.#window(index, segment, { start: position, end, deadlineMs })
      const cut = cutBatches(window.bytes, request, { bounds: segment, batchBytesMax: limits.batchBytesMax })
      if (cut.end > cut.start || cut.neededBytes === undefined) return this.#answer(index, request, { position, window, cut })
      if (window.isCut) return pending(request)
      // Only batches before `offset` were found, or the first one that is wanted is larger than the window.
      if (end === segment.batchesBytes && cut.seenBytes === window.bytes.length) break
      if (position + cut.neededBytes > segment.batchesBytes) {
        throw new TierError('damaged', `${segment.key}: a batch reaches past the batches`)
      }
      length = Math.max(bytesMax, cut.neededBytes - cut.seenBytes)
      position += cut.seenBytes
    }
    // Compaction leaves gaps: nothing is at `offset` or behind it in this segment.
    return { batches: empty, nextOffset: segment.endOffset, aborted: [], bytesLeft: 0, isPending: false }
  }

  #answer(index: SegmentIndex, request: SegmentRead, found: { position: number; window: Window; cut: BatchCut }): SegmentBatches {
    const { segment, offset } = request
    const { position, window, cut } = found
    const next = position + cut.end
    if (cut.end > cut.start) index.resumeAt(cut.nextOffset, next)
    this.#spend(segment, position, next)
    if (cut.end > cut.start) this.#readAhead(index, segment, { start: next, end: next + this.#options.limits.readAheadBytes })
    // A segment that was read to its last batch is read to its end, though compaction may have taken what was there.
    const nextOffset = next === segment.batchesBytes ? segment.endOffset : cut.nextOffset
    return {
      batches: window.bytes.subarray(cut.start, cut.end), nextOffset,
      aborted: index.abortedIn({ start: offset, end: nextOffset }),
      bytesLeft: segment.batchesBytes - next, isPending: window.isCut && cut.neededBytes !== undefined,
    }
  }

  /** Bytes [start, end) of the batches, or as many of them as are there in time. */
  async #window(index: SegmentIndex, segment: TieredSegment, want: WantedWindow): Promise<Window> {
    const { clock, blocks, pool } = this.#options
    const first = want.start - (want.start % blocks.blockBytes)
    const reads: Promise<Buffer>[] = []
    for (let at = first; at < want.end; at += blocks.blockBytes) reads.push(blocks.read(segment, at, index))
    // Each is looked at in its turn; one that fails meanwhile must not count as unhandled.
    for (const read of reads) read.catch(() => {})
    const bytes = pool.take(want.end - want.start)
    let filled = 0
    for (const [count, read] of reads.entries()) {
      const block = await valueWithin(clock, want.deadlineMs, read).catch((cause: unknown) => {
        if (filled === 0) throw cause
      })
      if (block === undefined) return { bytes: bytes.subarray(0, filled), isCut: true }
      const from = count === 0 ? want.start - first : 0
      filled += block.copy(bytes, filled, from)
    }
    return { bytes, isCut: false }
  }

  #spend(segment: TieredSegment, start: number, end: number): void {
    const { blocks } = this.#options
    const first = start - (start % blocks.blockBytes)
    for (let at = first; at + blocks.blockBytes <= end; at += blocks.blockBytes) blocks.spend(segment, at)
  }

  async #discardFrom(segment: TieredSegment, position: number): Promise<void> {
    const { blocks, limits } = this.#options
    const end = Math.min(position + limits.batchBytesMax, segment.batchesBytes)
    for (let at = position - (position % blocks.blockBytes); at < end; at += blocks.blockBytes) await blocks.discard(segment, at)
  }
}

const empty = Buffer.alloc(0)

function pending({ offset, segment }: SegmentRead): SegmentBatches {
  return { batches: empty, nextOffset: offset, aborted: [], bytesLeft: segment.batchesBytes, isPending: true }
}
