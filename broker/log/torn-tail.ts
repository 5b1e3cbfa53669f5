import { batchHeaderBytes, batchLengthAt, RecordBatch } from '../protocol/record-batch.ts'
import { baseOffsetAt } from './batch-scan.ts'
import type { DiskFile } from '../runtime/disk.ts'

/** What a disk writes as one: a write that was cut short by a power loss lacks whole sectors, which then read as zeros. */
const sectorBytes = 512
const pieceBytes = 1024 * 1024

/**
 * Whether the bytes from `position`, where no good batch begins, are the remains of a write that was never acknowledged.
 * They are unless whole batches with later offsets follow: those were written after this place was, so it has rotted
 * since. The exception is a write of several batches whose sectors reached the disk out of order; it shows as a sector
 * of zeros before the later batch.
 */
export async function isTornTail(tail: {
  readonly file: DiskFile
  readonly position: number
  readonly size: number
  /** That the next batch would have. */
  readonly endOffset: number
}): Promise<boolean> {
  const later = await findLaterBatch(tail)
  return later === undefined || (await hasZeroSector(tail, later))
}

async function findLaterBatch({ file, position, size, endOffset }: Parameters<typeof isTornTail>[0]): Promise<number | undefined> {
  for (let start = position + 1; start < size; start += pieceBytes) {
    const piece = await readAt(file, start, Math.min(pieceBytes + batchHeaderBytes, size - start))
    for (let at = 0; at + batchHeaderBytes <= piece.length && at < pieceBytes; at++) {
      if (!mayBeBatch(piece, at, endOffset)) continue
      const length = batchLengthAt(piece, at)!
      if (start + at + length > size) continue
      const batch = new RecordBatch(await readAt(file, start + at, length))
      if (batch.isIntact()) return start + at
    }
  }
  return undefined
}

function mayBeBatch(bytes: Buffer, at: number, endOffset: number): boolean {
  // The magic first: it turns away nearly every position with one look.
  if (bytes[at + 16] !== 2 || bytes.readUInt16BE(at) !== 0) return false
  const baseOffset = baseOffsetAt(bytes, at)
  const length = batchLengthAt(bytes, at)!
  return baseOffset > endOffset && baseOffset < endOffset + 2 ** 31 && length >= batchHeaderBytes
}

/**
 * Whether a sector between the bad batch and the later one was never written. The first sector may begin with what was
 * synced long before: of that one only what lies behind `position` has to be zeros, and enough of it that the batch that
 * belongs there would not be zeros itself. The last one may end with the zeros that a whole batch begins with.
 */
async function hasZeroSector({ file, position, endOffset }: Parameters<typeof isTornTail>[0], later: number): Promise<boolean> {
  const end = Math.ceil(later / sectorBytes) * sectorBytes
  for (let start = position; start < end; ) {
    const pieceEnd = Math.min(Math.floor(start / pieceBytes + 1) * pieceBytes, end)
    const piece = await readAt(file, start, pieceEnd - start)
    for (let at = 0; at < piece.length; ) {
      const sectorEnd = Math.floor((start + at) / sectorBytes + 1) * sectorBytes - start
      if (sectorEnd > piece.length) break
      const isWhole = sectorEnd - at === sectorBytes
      if (isZero(piece.subarray(at, sectorEnd)) && (isWhole || !startsWithZeros(sectorEnd - at, endOffset))) return true
      at = sectorEnd
    }
    start = pieceEnd
  }
  return false
}

/** Whether the first `count` bytes of a batch with this base offset are zeros: those of the offset, not of the length. */
function startsWithZeros(count: number, baseOffset: number): boolean {
  return count <= 8 ? baseOffset < 2 ** (8 * (8 - count)) : count <= 9
}

function isZero(bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index++) if (bytes[index] !== 0) return false
  return true
}

async function readAt(file: DiskFile, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  return bytes.subarray(0, await file.read(bytes, position))
}
