// What an object carries behind its batches, each section as big-endian integers without padding:
//
//   offsets    | offset 8 | position 8 | ...                                    sparse, ascending in both
//   times      | timestamp 8 | offset 8 | ...                                   sparse, ascending in both
//   aborted    | producer id 8 | first offset 8 | last offset 8 | last stable offset 8 | ...
//   checksums  | bytes per chunk 4 | CRC32C 4 | ...                             of the batches, chunk by chunk
//   epochs     | epoch 4 | start offset 8 | ...                                 ascending in both
//   producers  log/'s own format
//
// Offsets are absolute and 64 bits wide: a compacted segment can span more than 2^31 offsets. Positions count from the
// object's first byte. The entries say what those of `SegmentSections` say, but are made anew from the batches that are
// uploaded; only epochs, producers and aborted transactions come from the log. The checksums cover what a batch's own
// does not: its base offset and leader epoch.

import type { AbortedTransaction, SegmentSections } from '../log/sealed-segment.ts'
import { readInt64 } from '../protocol/reader.ts'
import { writeInt64 } from '../protocol/writer.ts'
import { TierError } from './tier-error.ts'

/** In the order in which they lie in the object: a cold read takes the first four in one request. */
export const sectionKinds = ['offsets', 'times', 'aborted', 'checksums', 'epochs', 'producers'] as const
export type SectionKind = (typeof sectionKinds)[number]

export type OffsetEntry = SegmentSections['offsets'][number]
export type TimeEntry = SegmentSections['times'][number]
export type EpochEntry = SegmentSections['epochs'][number]

export interface ChunkChecksums {
  /** The last chunk is shorter. */
  readonly chunkBytes: number
  /** Of each chunk. */
  readonly crcs: readonly number[]
}

/** What the entries of a segment must lie in. */
export interface SegmentBounds {
  readonly baseOffset: number
  readonly endOffset: number
  /** Of all batches together. */
  readonly batchesBytes: number
}

export function encodeOffsets(entries: readonly OffsetEntry[]): Buffer {
  return encodeRows(entries, { width: 16, write: (bytes, at, { offset, position }) => {
    writeInt64(bytes, at, offset)
    writeInt64(bytes, at + 8, position)
  } })
}

export function encodeTimes(entries: readonly TimeEntry[]): Buffer {
  return encodeRows(entries, { width: 16, write: (bytes, at, { timestamp, offset }) => {
    writeInt64(bytes, at, timestamp)
    writeInt64(bytes, at + 8, offset)
  } })
}

export function encodeAborted(entries: readonly AbortedTransaction[]): Buffer {
  return encodeRows(entries, { width: 32, write: (bytes, at, one) => {
    writeInt64(bytes, at, one.producerId)
    writeInt64(bytes, at + 8, one.firstOffset)
    writeInt64(bytes, at + 16, one.lastOffset)
    writeInt64(bytes, at + 24, one.lastStableOffset)
  } })
}

export function encodeChecksums({ chunkBytes, crcs }: ChunkChecksums): Buffer {
  const bytes = Buffer.allocUnsafe(4 + 4 * crcs.length)
  bytes.writeUInt32BE(chunkBytes, 0)
  crcs.forEach((crc, index) => bytes.writeUInt32BE(crc, 4 + 4 * index))
  return bytes
}

export function encodeEpochs(entries: readonly EpochEntry[]): Buffer {
  return encodeRows(entries, { width: 12, write: (bytes, at, { epoch, startOffset }) => {
    bytes.writeInt32BE(epoch, at)
    writeInt64(bytes, at + 4, startOffset)
  } })
}

/** Throws `TierError` with code `damaged`, like the other decoders here, where the bytes cannot be such a section. */
export function decodeOffsets(bytes: Buffer, bounds: SegmentBounds): OffsetEntry[] {
  const read = (at: number): OffsetEntry => ({ offset: int64(bytes, at), position: int64(bytes, at + 8) })
  const entries = decodeRows(bytes, 'offsets', { width: 16, read })
  const isSound = entries.length > 0 && entries[0]!.position === 0 && entries.every((entry, index) => {
    const before = entries[index - 1]
    return entry.offset >= bounds.baseOffset && entry.offset < bounds.endOffset && entry.position < bounds.batchesBytes &&
      (before === undefined || (entry.offset > before.offset && entry.position > before.position))
  })
  if (!isSound) throw damaged('offsets', 'its entries are out of order or out of bounds')
  return entries
}

export function decodeTimes(bytes: Buffer, bounds: SegmentBounds): TimeEntry[] {
  const read = (at: number): TimeEntry => ({ timestamp: int64(bytes, at), offset: int64(bytes, at + 8) })
  const entries = decodeRows(bytes, 'times', { width: 16, read })
  const isSound = entries.every((entry, index) => {
    const before = entries[index - 1]
    return entry.offset >= bounds.baseOffset && entry.offset < bounds.endOffset &&
      (before === undefined || (entry.timestamp > before.timestamp && entry.offset > before.offset))
  })
  if (!isSound) throw damaged('times', 'its entries are out of order or out of bounds')
  return entries
}

export function decodeAborted(bytes: Buffer): AbortedTransaction[] {
  const entries = decodeRows(bytes, 'aborted', { width: 32, read: (at) => ({
    producerId: int64(bytes, at), firstOffset: int64(bytes, at + 8),
    lastOffset: int64(bytes, at + 16), lastStableOffset: int64(bytes, at + 24),
  }) })
  const isSound = entries.every((one) => one.producerId >= 0 && one.firstOffset >= 0 && one.firstOffset <= one.lastOffset)
  if (!isSound) throw damaged('aborted', 'a transaction ends before it starts')
  return entries
}

export function decodeChecksums(bytes: Buffer, { batchesBytes }: SegmentBounds): ChunkChecksums {
  const chunkBytes = bytes.length < 4 ? 0 : bytes.readUInt32BE(0)
  const count = chunkBytes === 0 ? -1 : Math.ceil(batchesBytes / chunkBytes)
  if (bytes.length !== 4 + 4 * count) throw damaged('checksums', `${bytes.length} bytes for ${batchesBytes} bytes of batches`)
  return { chunkBytes, crcs: Array.from({ length: count }, (_, index) => bytes.readUInt32BE(4 + 4 * index)) }
}

export function decodeEpochs(bytes: Buffer): EpochEntry[] {
  const entries = decodeRows(
    bytes, 'epochs', { width: 12, read: (at) => ({ epoch: bytes.readInt32BE(at), startOffset: int64(bytes, at + 4) }) }
  )
  const isSound = entries.every((entry, index) => {
    const before = entries[index - 1]
    return entry.epoch >= 0 && entry.startOffset >= 0 &&
      (before === undefined || (entry.epoch > before.epoch && entry.startOffset >= before.startOffset))
  })
  if (!isSound) throw damaged('epochs', 'the lineage is out of order')
  return entries
}

/** A transaction that spans two segments is listed in both. */
export function distinctAborted(aborted: readonly AbortedTransaction[]): AbortedTransaction[] {
  return [...new Map(aborted.map((one) => [`${one.producerId}/${one.firstOffset}`, one])).values()]
}

function encodeRows<T>(
  entries: readonly T[], { width, write }: { width: number; write: (bytes: Buffer, at: number, entry: T) => void },
): Buffer {
  const bytes = Buffer.allocUnsafe(entries.length * width)
  entries.forEach((entry, index) => write(bytes, index * width, entry))
  return bytes
}

function decodeRows<T>(bytes: Buffer, section: SectionKind, { width, read }: { width: number; read: (at: number) => T }): T[] {
  if (bytes.length % width !== 0) throw damaged(section, `${bytes.length} bytes are no whole number of entries`)
  const entries: T[] = []
  try {
    for (let at = 0; at < bytes.length; at += width) entries.push(read(at))
  } catch (cause) {
    throw damaged(section, 'a number is out of range', cause)
  }
  return entries
}

function int64(bytes: Buffer, at: number): number {
  const value = readInt64(bytes, at)
  if (!Number.isSafeInteger(value)) throw new RangeError('an int64 is beyond 2^53')
  return value
}

function damaged(section: SectionKind, what: string, cause?: unknown): TierError {
  return new TierError('damaged', `section ${section}: ${what}`, cause)
}
