// Reads the batches of a segment file one after another, in pieces, giving way to other work after each.

import type { DiskFile } from '../runtime/disk.ts'
import { batchHeaderBytes, batchLengthAt, RecordBatch } from '../protocol/record-batch.ts'

/** A piece is read and checked in about 2 ms, which is how long other work may have to wait. */
const pieceBytes = 1024 * 1024

/** The base offset of what may be no batch at all: unlike that of a `RecordBatch` it is never refused, whatever it is. */
export function baseOffsetAt(bytes: Buffer, position: number): number {
  return bytes.readInt32BE(position) * 2 ** 32 + bytes.readUInt32BE(position + 4)
}

export interface ScannedBatch {
  /** Valid until the next one is asked for. */
  readonly batch: RecordBatch
  readonly position: number
}

export interface ScanOptions {
  readonly file: DiskFile
  /** Where a batch starts. */
  readonly start: number
  /** Exclusive; what starts before it is scanned. */
  readonly end: number
}

/** What a scan came to: the position behind the last batch that could be framed, and why it ended. */
export interface ScanEnd {
  readonly position: number
  /** `torn`: bytes are left that are no whole batch. */
  readonly reason: 'end' | 'torn'
}

/** Yields every batch that is framed whole; does not check content. Returns where and why it ended. */
export async function* scanBatches(options: ScanOptions): AsyncGenerator<ScannedBatch, ScanEnd> {
  const { file, end } = options
  let piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, Math.max(end - options.start, 0)))
  let position = options.start
  while (position < end) {
    const wanted = Math.min(piece.length, end - position)
    const filled = await file.read(piece.subarray(0, wanted), position)
    const bytes = piece.subarray(0, filled)
    let at = 0
    for (;;) {
      const length = batchLengthAt(bytes, at)
      if (length === undefined || at + length > filled) break
      if (length < batchHeaderBytes) return { position: position + at, reason: 'torn' }
      yield { batch: new RecordBatch(bytes.subarray(at, at + length)), position: position + at }
      at += length
    }
    if (at === 0) {
      const length = batchLengthAt(bytes, 0)
      if (length === undefined || length < batchHeaderBytes || position + length > end) return { position, reason: 'torn' }
      // One batch that is larger than the piece.
      piece = Buffer.allocUnsafeSlow(length)
      continue
    }
    position += at
  }
  return { position, reason: 'end' }
}
