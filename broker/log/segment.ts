// One file of a partition: record batches one after another, exactly as on the wire, named by the offset of the first.
//
//   00000000000000004711.log    the batches          00000000000000004711.index    where they lie (a cache)
//
// Readers and the writer share a segment: whoever uses the file holds a reference, and a segment that is removed gives
// its file back when the last one lets go.

import { join } from 'node:path'
import type { Disk, DiskFile } from '../runtime/disk.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { batchHeaderBytes, batchLengthAt, RecordBatch as Batch } from '../protocol/record-batch.ts'
import { scanBatches } from './batch-scan.ts'
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
    this.#references++
    this.#wasUsed = true
    this.#file ??= this.#disk.open(this.path)
    return this.#file.catch((cause: unknown) => {
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
      this.#index = undefined
    }
    this.#wasUsed = false
  }

  /** The index; of an open segment the one that grows with it. */
  async index(): Promise<SegmentIndex> {
    this.#wasUsed = true
    if (this.#index !== undefined) return this.#index
    const stored = await this.#disk.readFile(this.indexPath)
    const decoded = stored === undefined ? undefined : SegmentIndex.decode(stored, this.bytes)
    this.#isIndexStored = decoded !== undefined
    this.#index = decoded ?? (await this.#makeIndex())
    return this.#index
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
    this.#isIndexStored = true
    await this.#disk.replaceFile(this.indexPath, this.#index.encode(this.bytes))
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

  /** Whole batches from the one that holds `offset`, which must be in this segment. */
  async read(range: BatchRange): Promise<Buffer[]> {
    const index = this.#index ?? (await this.index())
    const file = await this.acquire()
    try {
      let position = index.positionBefore(range.offset)
      let wanted = range.bytesMax + slackBytes
      for (;;) {
        const bytes = Buffer.allocUnsafeSlow(Math.min(wanted, this.bytes - position))
        await file.read(bytes, position)
        const cut = cutBatches(bytes, range)
        if (cut.kind === 'found') return cut.batches
        if (position + cut.skip >= this.bytes || (cut.kind === 'larger' && !range.minOneBatch)) return []
        position += cut.skip
        wanted = Math.max(cut.kind === 'larger' ? cut.length : wanted, range.bytesMax)
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
    await this.#disk.remove(this.indexPath)
  }

  async close(): Promise<void> {
    this.#isRemoved = true
    if (this.#references === 0) await this.#closeFile()
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await (await file?.catch(() => undefined))?.close()
  }
}

type Cut =
  | { readonly kind: 'found'; readonly batches: Buffer[] }
  /** Nothing up to `skip` is of use; go on from there. */
  | { readonly kind: 'before'; readonly skip: number }
  /** The first batch that is of use, at `skip`, has `length` bytes, more than was read. */
  | { readonly kind: 'larger'; readonly skip: number; readonly length: number }

/** One view over all batches of the range that lie whole in `bytes`: they are sent together. */
function cutBatches(bytes: Buffer, range: BatchRange): Cut {
  let start = -1
  let at = 0
  for (;;) {
    const length = batchLengthAt(bytes, at)
    const isWhole = length !== undefined && length >= batchHeaderBytes && at + length <= bytes.length
    if (start < 0 && !isWhole) return length === undefined ? endOrLarger(bytes, at) : { kind: 'larger', skip: at, length }
    if (!isWhole) break
    const batch: RecordBatch = new Batch(bytes.subarray(at, at + length))
    if (batch.endOffset > range.endOffset) break
    if (batch.endOffset > range.offset) {
      if (start < 0) start = at
      if (at + length - start > range.bytesMax) {
        if (start === at && range.minOneBatch) at += length
        break
      }
    }
    at += length
  }
  return { kind: 'found', batches: start < 0 || at === start ? [] : [bytes.subarray(start, at)] }
}

/** Not even a length is left in what was read. */
function endOrLarger(bytes: Buffer, at: number): Cut {
  return at === 0 ? { kind: 'larger', skip: 0, length: bytes.length * 2 } : { kind: 'before', skip: at }
}

export function segmentName(baseOffset: number, kind: 'log' | 'index' | 'producers'): string {
  return `${String(baseOffset).padStart(20, '0')}.${kind}`
}

/** The base offset in a file's name, if it is one of a segment. */
export function segmentOffset(name: string, kind: 'log' | 'index' | 'producers'): number | undefined {
  const match = /^(\d{20})\.(log|index|producers)$/.exec(name)
  return match?.[2] === kind ? Number(match[1]) : undefined
}
