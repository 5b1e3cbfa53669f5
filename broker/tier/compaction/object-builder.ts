import { crc32c } from '../../protocol/crc32c.ts'
import type { RecordBatch } from '../../protocol/record-batch.ts'
import { formatVersion } from '../object-format.ts'
import { BatchScan, type ScanLimits, type SegmentScan } from '../segment-scan.ts'
import { trailerOf } from '../segment-upload.ts'
import type { UploadedObject, UploadJob } from '../tier-io.ts'

const chunkBytes = 1024 * 1024

export interface BuiltObject {
  readonly object: UploadedObject
  readonly scan: SegmentScan
  /** Behind each other: all of the object. */
  readonly chunks: readonly Buffer[]
}

/** An object of the tier in memory: batches are copied in one after another, and looked at as those of a segment are. */
export class ObjectBuilder {
  readonly #scan: BatchScan
  readonly #chunks: Buffer[] = []
  readonly #now: number
  #filled = 0
  #bytes = 0
  #horizonMs = -1

  /** Offsets of batches lie in [start, end). `now`: the wall clock of the pass. */
  constructor({ start, end, now }: { readonly start: number; readonly end: number; readonly now: number }, limits: ScanLimits) {
    this.#scan = new BatchScan({ start, end, limits })
    this.#now = now
  }

  /** Of the batches so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** The earliest delete horizon that is still to come, wall clock; -1: there is none. */
  get horizonMs(): number {
    return this.#horizonMs
  }

  add(batch: RecordBatch): void {
    // A horizon that has passed stays in the header, although nothing is there any more that waited for it.
    if (batch.hasDeleteHorizon && batch.baseTimestamp >= this.#now) {
      const { baseTimestamp } = batch
      this.#horizonMs = this.#horizonMs < 0 ? baseTimestamp : Math.min(this.#horizonMs, baseTimestamp)
    }
    this.#scan.take(batch.bytes, this.#bytes)
    this.#bytes += batch.bytes.length
    for (let at = 0; at < batch.bytes.length; ) {
      if (this.#chunks.length === 0 || this.#filled === chunkBytes) {
        this.#chunks.push(Buffer.allocUnsafeSlow(chunkBytes))
        this.#filled = 0
      }
      const count = batch.bytes.copy(this.#chunks.at(-1)!, this.#filled, at)
      this.#filled += count
      at += count
    }
  }

  finish(job: Omit<UploadJob, 'key' | 'path' | 'fileBytes'>): BuiltObject {
    const scan = this.#scan.finish()
    const trailer = trailerOf(job, scan)
    const object: UploadedObject = {
      bytes: scan.batchesBytes + trailer.bytes.length, batchesBytes: scan.batchesBytes, batchCount: scan.batchCount,
      recordCount: scan.recordCount, maxTimestamp: scan.maxTimestamp, crc32c: crc32c(trailer.bytes, scan.crc32c),
      formatVersion, sections: trailer.sections,
    }
    const last = this.#chunks.length - 1
    const chunks = this.#chunks.map((chunk, index) => (index === last ? chunk.subarray(0, this.#filled) : chunk))
    return { object, scan, chunks: [...chunks, trailer.bytes] }
  }
}
