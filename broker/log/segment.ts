// One file of a partition: record batches one after another, exactly as on the wire, named by the offset of the first.
//
//   00000000000000004711.log    the batches          00000000000000004711.index    where they lie (a cache)
//
// Readers and the writer share a segment: whoever uses the file holds a reference, and a segment that is removed gives
// its file back when the last one lets go.

import { join } from 'node:path'
import type { Disk, DiskFile } from '../runtime/disk.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { batchHeaderBytes, RecordBatch as Batch } from '../protocol/record-batch.ts'
import type { BufferPool } from '../runtime/buffer-pool.ts'
import { baseOffsetAt, scanBatches } from './batch-scan.ts'
import type { LentBatches } from './hot-ring.ts'
import { LogError } from './log-error.ts'
import { SegmentIndex } from './segment-index.ts'

export interface SegmentOptions {
  readonly disk: Disk
  readonly directory: string
  readonly baseOffset: number
  /** Of batches that are written. */
  readonly bytes: number
  /** Undefined: read from disk, or made, when it is needed. */
  readonly index: SegmentIndex | undefined
  readonly maxTimestamp: number
  readonly abortedCount: number
}

export interface BatchRange {
  readonly offset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly bytesMax: number
  readonly minOneBatch: boolean
}

/** More than what is asked for is read, so that whatever lies between an index entry and the batch fits too. */
const slackBytes = 32 * 1024
const rewriteBytes = 1024 * 1024
/** Of one read, with the slack: what the pool keeps; more comes with the next request. */
const readBytesMax = 4 * 1024 * 1024 - slackBytes

export class Segment {
  readonly baseOffset: number
  readonly path: string
  readonly indexPath: string
  readonly #disk: Disk
  bytes: number
  maxTimestamp: number
  /** Transactions whose abort marker is in this segment. */
  abortedCount: number
  /** Wall clock of the first append in this process and of the seal; undefined before. */
  firstAppendAt: number | undefined
  sealedAt: number | undefined
  #index: SegmentIndex | undefined
  #file: Promise<DiskFile> | undefined
  #references = 0
  #isRemoved = false
  #wasUsed = true
  #isIndexStored = false

  constructor(options: SegmentOptions) {
    this.#disk = options.disk
    this.baseOffset = options.baseOffset
    this.path = join(options.directory, segmentName(options.baseOffset, 'log'))
    this.indexPath = join(options.directory, segmentName(options.baseOffset, 'index'))
    this.bytes = options.bytes
    this.#index = options.index
    this.maxTimestamp = options.maxTimestamp
    this.abortedCount = options.abortedCount
  }

  /** The file, opened when it is first needed. Let go with `release`. */
  acquire(): Promise<DiskFile> {
    // Another segment may have its name by now.
    if (this.#isRemoved && this.#file === undefined) {
      return Promise.reject(new LogError('stopped', this.path, 'the segment is not there any more'))
    }
    this.#references++
    this.#wasUsed = true
    this.#file ??= this.#disk.open(this.path)
    return this.#file.catch((cause: unknown) => {
      this.#references--
      this.#file = undefined
      throw cause
    })
  }

  release(): void {
    this.#references--
    if (this.#isRemoved && this.#references === 0) void this.#closeFile()
  }

  /** Gives back file and index where nobody used them since this was called last. */
  rest(): void {
    if (this.#references === 0 && !this.#wasUsed) {
      void this.#closeFile()
      // Which transactions were aborted cannot be told from the batches of this segment alone.
      if (this.abortedCount === 0) this.#index = undefined
    }
    this.#wasUsed = false
  }

  /** The index; of an open segment the one that grows with it. */
  async index(): Promise<SegmentIndex> {
    this.#wasUsed = true
    if (this.#index === undefined && !(await this.loadIndex())) this.#index ??= await this.#makeIndex()
    return this.#index!
  }

  /** Reads the index from disk, where there is one that belongs to the segment as it is. */
  async loadIndex(): Promise<boolean> {
    const stored = await this.#disk.readFile(this.indexPath)
    const decoded = stored === undefined ? undefined : SegmentIndex.decode(stored, this.bytes)
    if (decoded === undefined) return false
    this.#index ??= decoded
    this.#isIndexStored = true
    this.maxTimestamp = decoded.maxTimestamp
    this.abortedCount = decoded.aborted.length
    return true
  }

  /**
   * Cuts off what lies behind the batches, and makes them durable. What lies from `rewriteFrom` on is written again: after
   * a sync that failed the kernel takes pages for written that it has dropped, and only writing makes it try once more.
   */
  async settle({ rewriteFrom = this.bytes }: { readonly rewriteFrom?: number } = {}): Promise<void> {
    const file = await this.acquire()
    try {
      if ((await file.size()) > this.bytes) await file.truncate(this.bytes)
      for (let position = rewriteFrom; position < this.bytes; position += rewriteBytes) {
        const piece = Buffer.allocUnsafeSlow(Math.min(rewriteBytes, this.bytes - position))
        await file.write([piece.subarray(0, await file.read(piece, position))], position)
      }
      await file.sync()
    } finally {
      this.release()
    }
  }

  /** The index of the open segment, which the writer makes as it goes. */
  openIndex(): SegmentIndex {
    if (this.#index === undefined) throw new Error(`${this.path} is open and has no index in memory`)
    this.#isIndexStored = false
    return this.#index
  }

  /** Takes down an index that is in memory alone. */
  async writeIndex(): Promise<void> {
    if (this.#index === undefined || this.#isIndexStored) return
    await this.#disk.replaceFile(this.indexPath, this.#index.encode(this.bytes))
    this.#isIndexStored = true
  }

  async #makeIndex(): Promise<SegmentIndex> {
    const made = new SegmentIndex()
    const file = await this.acquire()
    try {
      for await (const { batch, position } of scanBatches({ file, start: 0, end: this.bytes })) {
        made.note(batch, { position, intervalBytes: slackBytes })
      }
    } finally {
      this.release()
    }
    return made
  }

  /**
   * Whole batches from the one that holds `offset`, which must be in this segment; in memory of the pool. `'end'`: there is
   * no batch at or behind it, which is not the same as none that may be returned. Throws `LogError` where the file is not
   * what it was.
   */
  async read(range: BatchRange, pool: BufferPool): Promise<LentBatches | 'end'> {
    const index = this.#index ?? (await this.index())
    const file = await this.acquire()
    try {
      let position = index.positionBefore(range.offset)
      let wanted = Math.min(range.bytesMax, readBytesMax) + slackBytes
      for (;;) {
        const bytes = pool.take(Math.min(wanted, this.bytes - position))
        const filled = await file.read(bytes, position)
        const cut = cutBatches(bytes.subarray(0, filled), range)
        if (cut.kind === 'found') return { buffers: cut.batches, release: () => pool.give(bytes) }
        pool.give(bytes)
        if (cut.kind === 'none') return nothing
        position += cut.skip
        if (position === this.bytes) return 'end'
        if (cut.bytes < batchHeaderBytes || position + cut.bytes > this.bytes || filled < bytes.length) {
          throw new LogError('damaged', this.path, `no batch at byte ${position}`)
        }
        wanted = Math.max(cut.bytes, wanted)
      }
    } finally {
      this.release()
    }
  }

  /** Takes the files away; reads that are under way still end well. */
  async remove(): Promise<void> {
    this.#isRemoved = true
    if (this.#references === 0) await this.#closeFile()
    await this.#disk.remove(this.path)
    await this.removeIndex()
  }

  removeIndex(): Promise<void> {
    this.#isIndexStored = false
    return this.#disk.remove(this.indexPath)
  }

  async close(): Promise<void> {
    this.#isRemoved = true
    if (this.#references === 0) await this.#closeFile()
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    // Nothing is lost with a file that was synced, and nobody waits for the answer.
    await (await file?.catch(() => undefined))?.close().catch(() => {})
  }
}

export const nothing: LentBatches = { buffers: [], release() {} }

type Cut =
  | { readonly kind: 'found'; readonly batches: Buffer[] }
  | { readonly kind: 'none' }
  /** Nothing up to `skip` is of use; go on from there with at least `bytes`; with less than a header there is no batch. */
  | { readonly kind: 'more'; readonly skip: number; readonly bytes: number }

/** One view over all batches of the range that lie whole in `bytes`: they are sent together. */
function cutBatches(bytes: Buffer, range: BatchRange): Cut {
  const start = skipBefore(bytes, range.offset)
  let at = start
  while (at + batchHeaderBytes <= bytes.length) {
    const batch: RecordBatch = new Batch(bytes.subarray(at))
    const { length } = batch
    const isFirst = at === start
    if (!isHeader(batch)) return isFirst ? { kind: 'more', skip: at, bytes: 0 } : found(bytes, start, at)
    const isTooMuch = at + length - start > range.bytesMax && !(isFirst && range.minOneBatch)
    if (isTooMuch || batch.endOffset > range.endOffset) return found(bytes, start, at)
    if (at + length > bytes.length) return isFirst ? { kind: 'more', skip: at, bytes: length } : found(bytes, start, at)
    at += length
  }
  return at === start ? { kind: 'more', skip: at, bytes: batchHeaderBytes } : found(bytes, start, at)
}

function found(bytes: Buffer, start: number, end: number): Cut {
  return start === end ? { kind: 'none' } : { kind: 'found', batches: [bytes.subarray(start, end)] }
}

/** Where the batch that holds an offset begins, or the first one of which that cannot be told yet. */
function skipBefore(bytes: Buffer, offset: number): number {
  let at = 0
  while (at + batchHeaderBytes <= bytes.length) {
    const batch: RecordBatch = new Batch(bytes.subarray(at))
    if (!isHeader(batch) || batch.endOffset > offset) return at
    at += batch.length
  }
  return at
}

/** Enough of a check to notice that lengths have led astray; the checksum is the reader's to look at. */
function isHeader(batch: RecordBatch): boolean {
  return batch.magic === 2 && batch.length >= batchHeaderBytes && batch.lastOffsetDelta >= 0 &&
    baseOffsetAt(batch.bytes, 0) < Number.MAX_SAFE_INTEGER
}

export function segmentName(baseOffset: number, kind: 'log' | 'index' | 'producers'): string {
  return `${String(baseOffset).padStart(20, '0')}.${kind}`
}

/** The base offset in a file's name, if it is one of a segment. */
export function segmentOffset(name: string, kind: 'log' | 'index' | 'producers'): number | undefined {
  const match = /^(\d{20})\.(log|index|producers)$/.exec(name)
  return match?.[2] === kind ? Number(match[1]) : undefined
}
