import type { ObjectStore } from '../../objects/object-store.ts'
import { crc32c } from '../../protocol/crc32c.ts'
import { batchHeaderBytes, batchLengthAt, RecordBatch } from '../../protocol/record-batch.ts'
import { type Clock, sleep } from '../../runtime/clock.ts'
import type { ByteRate } from '../../runtime/byte-rate.ts'
import type { ChunkChecksums } from '../object-sections.ts'
import { TierError, tierErrorOf } from '../tier-error.ts'
import type { TieredSegment } from '../tiered-segment.ts'
import { callWithin } from '../within.ts'

export interface RowReading {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly rate: ByteRate
  readonly limits: RowReadingLimits
  readonly signal: AbortSignal
}

export interface RowReadingLimits {
  readonly requestTimeoutMs: number
  readonly batchBytesMax: number
  readonly compactionReadBytes: number
  readonly compactionTurnBytes: number
}

/**
 * The batches of an object, in order, straight from the store: the cache belongs to readers. All bytes are held against the
 * checksums of the object, and each batch against its own. A batch's bytes stay what they are.
 *
 * Throws `TierError`: `damaged`, `missing` where the store says so, `away` for all else, and once the signal aborts.
 */
export async function* batchesOfRow(reading: RowReading, row: TieredSegment, checksums: ChunkChecksums): AsyncGenerator<RecordBatch> {
  const { clock, limits, signal } = reading
  const readBytes = Math.max(checksums.chunkBytes, limits.compactionReadBytes - (limits.compactionReadBytes % checksums.chunkBytes))
  let rest: Buffer = Buffer.alloc(0)
  let nextOffset = row.baseOffset
  let untilTurn = limits.compactionTurnBytes
  for (let position = 0; position < row.batchesBytes; position += readBytes) {
    const end = Math.min(position + readBytes, row.batchesBytes)
    const bytes = await readChunk(reading, row, { start: position, end })
    checkChunks(row, { bytes, position }, checksums)
    const window = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    let at = 0
    for (;;) {
      const length = batchLengthAt(window, at)
      if (length === undefined) break
      if (length < batchHeaderBytes || length > limits.batchBytesMax) throw damaged(row, `a batch claims ${length} bytes`)
      if (at + length > window.length) break
      const batch = new RecordBatch(window.subarray(at, at + length))
      nextOffset = checked(row, batch, nextOffset)
      yield batch
      at += length
      untilTurn -= length
      if (untilTurn > 0) continue
      untilTurn = limits.compactionTurnBytes
      await sleep(clock, 0, signal)
    }
    rest = window.subarray(at)
  }
  if (rest.length > 0) throw damaged(row, `${rest.length} bytes behind its last batch are no batch`)
}

async function readChunk({ store, clock, rate, limits, signal }: RowReading, row: TieredSegment, want: { start: number; end: number }) {
  const doing = `compacting: reading [${want.start}, ${want.end}) of ${row.key}`
  await rate.take(want.end - want.start, signal)
  if (signal.aborted) throw tierErrorOf(doing, signal.reason)
  const call = { clock, timeoutMs: limits.requestTimeoutMs, signal }
  const bytes = await callWithin(doing, call, (within) => store.getRange(row.key, want, within))
  if (bytes === undefined) throw new TierError('missing', `${doing}: there is no such object`)
  if (bytes.length !== want.end - want.start) throw damaged(row, `${bytes.length} bytes came of [${want.start}, ${want.end})`)
  return bytes
}

function checkChunks(row: TieredSegment, { bytes, position }: { bytes: Buffer; position: number }, { chunkBytes, crcs }: ChunkChecksums) {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const crc = crc32c(bytes.subarray(at, Math.min(at + chunkBytes, bytes.length)))
    if (crc !== crcs[(position + at) / chunkBytes]) throw damaged(row, `its bytes from ${position + at} on do not match their checksum`)
  }
}

/** The offset behind the batch. */
function checked(row: TieredSegment, batch: RecordBatch, nextOffset: number): number {
  if (batch.magic !== 2 || batch.lastOffsetDelta < 0) throw damaged(row, `the header of the batch behind ${nextOffset} is impossible`)
  if (!batch.isIntact()) throw damaged(row, `the batch behind ${nextOffset} does not match its checksum`)
  const { baseOffset, endOffset } = batch
  if (!(baseOffset >= nextOffset && endOffset <= row.endOffset)) {
    throw damaged(row, `a batch with offsets [${baseOffset}, ${endOffset}) behind ${nextOffset}`)
  }
  return endOffset
}

function damaged(row: TieredSegment, what: string): TierError {
  return new TierError('damaged', `${row.key}: ${what}`)
}
