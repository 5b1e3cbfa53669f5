import { batchHeaderBytes, batchLengthAt, RecordBatch } from '../protocol/record-batch.ts'
import { TierError } from './tier-error.ts'

export interface WantedBatches {
  /** The first batch is the one that holds this offset or, where none does, the next one. */
  readonly offset: number
  /** No batch that begins here or later. */
  readonly endOffset: number
  readonly bytesMax: number
  /** The first batch is wanted even where it alone is larger than `bytesMax`. */
  readonly minOneBatch: boolean
}

export interface CutLimits {
  /** The offsets that batches can have here. */
  readonly bounds: { readonly baseOffset: number; readonly endOffset: number }
  /** Bytes of the largest batch; what claims to be larger is damaged. */
  readonly batchBytesMax: number
}

export interface BatchCut {
  /** The wanted batches lie in [start, end) of the window. */
  readonly start: number
  readonly end: number
  /** The offset behind the last of them; `offset` where there are none. */
  readonly nextOffset: number
  /** Bytes from the start of the window that it takes to go on; undefined where enough or all was found. */
  readonly neededBytes: number | undefined
  /** Where the last batch that was looked at ends: from there, all that was passed over is before `offset`. */
  readonly seenBytes: number
}

/**
 * Finds whole batches in a window of a segment, which begins with a batch. Each one that is taken was held against
 * its checksum. Throws `TierError` with code `damaged` where one fails, or where the window cannot be batches.
 */
export function cutBatches(window: Buffer, want: WantedBatches, limits: CutLimits): BatchCut {
  let start = 0
  let at = 0
  let nextOffset = want.offset
  let lastOffset = -1
  for (;;) {
    const taken = at - start
    const isFull = taken > 0 && taken >= want.bytesMax
    const length = isFull ? undefined : batchLengthAt(window, at)
    const cut = (neededBytes?: number): BatchCut => ({ start, end: at, nextOffset, neededBytes, seenBytes: at })
    if (length === undefined) return isFull ? cut() : cut(at + batchHeaderBytes)
    if (length < batchHeaderBytes || length > limits.batchBytesMax) throw damaged(at, `it claims ${length} bytes`)
    const fits = length <= want.bytesMax - taken || (taken === 0 && want.minOneBatch)
    if (at + batchHeaderBytes > window.length) return cut(at + length)
    const batch = new RecordBatch(window.subarray(at, at + length))
    const { baseOffset, endOffset } = offsetsOf(batch, at)
    if (baseOffset <= lastOffset || baseOffset < limits.bounds.baseOffset || endOffset > limits.bounds.endOffset) {
      throw damaged(at, `offsets [${baseOffset}, ${endOffset}) are out of order or out of the segment`)
    }
    const isWanted = endOffset > want.offset
    if (isWanted && (baseOffset >= want.endOffset || !fits)) return cut()
    if (at + length > window.length) return cut(at + length)
    if (isWanted && !batch.isIntact()) throw damaged(at, 'its checksum does not match')
    at += length
    lastOffset = endOffset - 1
    if (isWanted) nextOffset = endOffset
    else start = at
  }
}

function offsetsOf(batch: RecordBatch, at: number): { baseOffset: number; endOffset: number } {
  if (batch.magic !== 2 || batch.lastOffsetDelta < 0) throw damaged(at, 'its header is impossible')
  try {
    const { baseOffset, endOffset } = batch
    if (Number.isSafeInteger(baseOffset) && Number.isSafeInteger(endOffset)) return { baseOffset, endOffset }
  } catch (cause) {
    throw damaged(at, 'its offset is out of range', cause)
  }
  throw damaged(at, 'its offset is out of range')
}

function damaged(at: number, what: string, cause?: unknown): TierError {
  return new TierError('damaged', `the batch at byte ${at} of the window is damaged: ${what}`, cause)
}
