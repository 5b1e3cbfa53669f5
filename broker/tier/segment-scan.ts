import { crc32c } from '../protocol/crc32c.ts'
import { combineCrc32c } from '../protocol/crc32c-combine.ts'
import { batchHeaderBytes, batchLengthAt, RecordBatch } from '../protocol/record-batch.ts'
import type { DiskFile } from '../runtime/disk.ts'
import type { ChunkChecksums, OffsetEntry, TimeEntry } from './object-sections.ts'
import { TierError } from './tier-error.ts'

export interface ScanOptions {
  /** Offsets [start, end) of the file's segment go into the object; `start` is the first offset of a batch. */
  readonly start: number
  readonly end: number
  /** Batches lie in the first so many bytes of the file. */
  readonly fileBytes: number
  readonly limits: ScanLimits
}

export interface ScanLimits {
  /** Bytes of the largest batch; what claims to be larger is damaged. */
  readonly batchBytesMax: number
  /** Bytes of batches between two entries of the offset index. */
  readonly indexIntervalBytes: number
  /** Bytes of batches that one checksum of the object covers. */
  readonly checksumBytes: number
  /** Bytes read from the file at a time. */
  readonly chunkBytes: number
}

/** What a segment holds, found by looking at each of its batches. */
export interface SegmentScan {
  /** Where the first batch of the range begins in the file. */
  readonly position: number
  readonly batchesBytes: number
  readonly batchCount: number
  readonly recordCount: number
  readonly maxTimestamp: number
  /** Of all the batches' bytes. */
  readonly crc32c: number
  readonly offsets: readonly OffsetEntry[]
  readonly times: readonly TimeEntry[]
  readonly checksums: ChunkChecksums
}

/**
 * Reads a sealed segment once and checks every batch: what is damaged on disk must not become the only copy, and the
 * indexes of the object describe the bytes that were checked and not those that the log once wrote.
 *
 * Throws `TierError` with code `damaged` where a batch fails its checksum or does not follow the one before.
 */
export async function scanSegment(file: DiskFile, options: ScanOptions): Promise<SegmentScan> {
  const scan = new BatchScan(options)
  const { fileBytes, limits } = options
  // One buffer for the whole segment: what a chunk leaves moves to its front. Fresh ones would cost more than the checks.
  let buffer = Buffer.allocUnsafeSlow(2 * limits.chunkBytes)
  let rest: Buffer = buffer.subarray(0, 0)
  for (let position = 0; position < fileBytes; ) {
    const want = Math.min(Math.max(limits.chunkBytes, missingBytes(rest, limits)), fileBytes - position)
    const left = rest.length
    if (left + want > buffer.length) buffer = Buffer.allocUnsafeSlow(left + want)
    rest.copy(buffer)
    const bytes = buffer.subarray(0, left + want)
    const count = await file.read(bytes.subarray(left), position)
    if (count < want) throw new TierError('damaged', `the segment ends at ${position + count}, ${fileBytes} bytes were expected`)
    rest = scan.take(bytes, position - left)
    position += want
  }
  if (rest.length > 0) throw new TierError('damaged', `${rest.length} bytes behind the last batch are no batch`)
  return scan.finish()
}

/** How much more the batch at the start of `rest` needs, as far as that can be told. */
function missingBytes(rest: Buffer, { batchBytesMax }: ScanLimits): number {
  const length = batchLengthAt(rest, 0)
  if (length === undefined) return 0
  if (length < batchHeaderBytes || length > batchBytesMax) throw new TierError('damaged', `a batch of ${length} bytes`)
  return length - rest.length
}

/** What `scanSegment` makes, of batches that come piece by piece. */
export class BatchScan {
  readonly #options: Omit<ScanOptions, 'fileBytes'>
  readonly #offsets: OffsetEntry[] = []
  readonly #times: TimeEntry[] = []
  #position = -1
  #nextOffset: number
  #bytes = 0
  #batches = 0
  #records = 0
  #maxTimestamp = -1
  readonly #chunkCrcs: number[] = []
  #chunkLeft = 0

  constructor(options: Omit<ScanOptions, 'fileBytes'>) {
    this.#options = options
    this.#nextOffset = options.start
  }

  /** Looks at the whole batches in `bytes`, which begin at `position` of the file, and returns what is left of them. */
  take(bytes: Buffer, position: number): Buffer {
    const { limits } = this.#options
    let at = 0
    let wantedFrom = -1
    for (;;) {
      const length = batchLengthAt(bytes, at)
      if (length === undefined) break
      if (length < batchHeaderBytes || length > limits.batchBytesMax) throw damaged(position + at, `it claims ${length} bytes`)
      if (at + length > bytes.length) break
      if (this.#look(new RecordBatch(bytes.subarray(at, at + length)), position + at) && wantedFrom < 0) wantedFrom = at
      at += length
    }
    // One pass over all batches of a chunk: the checksums of the object are made of large pieces.
    if (wantedFrom >= 0) this.#sum(bytes.subarray(wantedFrom, at))
    return bytes.subarray(at)
  }

  #sum(bytes: Buffer): void {
    const { checksumBytes } = this.#options.limits
    for (let at = 0; at < bytes.length; ) {
      if (this.#chunkLeft === 0) {
        this.#chunkCrcs.push(0)
        this.#chunkLeft = checksumBytes
      }
      const part = bytes.subarray(at, at + this.#chunkLeft)
      this.#chunkCrcs.push(crc32c(part, this.#chunkCrcs.pop()))
      this.#chunkLeft -= part.length
      at += part.length
    }
  }

  finish(): SegmentScan {
    const { start, end, limits } = this.#options
    if (this.#batches === 0) throw new TierError('damaged', `the segment has no batch in [${start}, ${end})`)
    return {
      position: this.#position, batchesBytes: this.#bytes, batchCount: this.#batches, recordCount: this.#records,
      maxTimestamp: this.#maxTimestamp, crc32c: this.#wholeCrc(), offsets: this.#offsets, times: this.#times,
      checksums: { chunkBytes: limits.checksumBytes, crcs: this.#chunkCrcs },
    }
  }

  /** Of all chunks, the last of which may be shorter. */
  #wholeCrc(): number {
    const { checksumBytes } = this.#options.limits
    let crc = 0
    for (const [index, chunk] of this.#chunkCrcs.entries()) {
      crc = combineCrc32c(crc, chunk, Math.min(checksumBytes, this.#bytes - index * checksumBytes))
    }
    return crc
  }

  /** Whether the batch belongs to the range. */
  #look(batch: RecordBatch, position: number): boolean {
    const { start, end } = this.#options
    const fields = headerOf(batch, position)
    if (fields.endOffset <= start && this.#batches === 0) return false
    if (!batch.isIntact()) throw damaged(position, 'its checksum does not match')
    if (fields.baseOffset < this.#nextOffset || fields.endOffset > end) {
      const offsets = `[${fields.baseOffset}, ${fields.endOffset})`
      throw damaged(position, `offsets ${offsets} with ${this.#nextOffset} next and ${end} the end`)
    }
    this.#index(fields.baseOffset)
    if (this.#batches === 0) this.#position = position
    this.#nextOffset = fields.endOffset
    this.#bytes += batch.length
    this.#batches++
    this.#records += Math.max(batch.recordCount, 0)
    // One that compaction has emptied says what it once had.
    if (!batch.isControl && batch.recordCount > 0) this.#maxTimestamp = Math.max(this.#maxTimestamp, fields.maxTimestamp)
    return true
  }

  #index(offset: number): void {
    const last = this.#offsets.at(-1)
    if (last !== undefined && this.#bytes - last.position < this.#options.limits.indexIntervalBytes) return
    this.#offsets.push({ offset, position: this.#bytes })
    if (this.#maxTimestamp > (this.#times.at(-1)?.timestamp ?? -1)) this.#times.push({ timestamp: this.#maxTimestamp, offset })
  }
}

function headerOf(batch: RecordBatch, position: number): { baseOffset: number; endOffset: number; maxTimestamp: number } {
  if (batch.magic !== 2) throw damaged(position, `its format is ${batch.magic}, only 2 is known`)
  if (batch.lastOffsetDelta < 0) throw damaged(position, 'it ends before it starts')
  try {
    const { baseOffset, endOffset, maxTimestamp } = batch
    if (Number.isSafeInteger(baseOffset) && Number.isSafeInteger(endOffset) && Number.isSafeInteger(maxTimestamp)) {
      return { baseOffset, endOffset, maxTimestamp }
    }
  } catch (cause) {
    throw damaged(position, 'a number in its header is out of range', cause)
  }
  throw damaged(position, 'a number in its header is out of range')
}

function damaged(position: number, what: string, cause?: unknown): TierError {
  return new TierError('damaged', `the batch at byte ${position} of the segment is damaged: ${what}`, cause)
}
