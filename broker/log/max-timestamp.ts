// The record with the largest timestamp in a range of offsets. What a segment says of itself tells which ones to look into; what
// their batches say, which one of those to open. A segment's largest timestamp may be a control record's, or lie outside of the
// range, where the first or the last segment is in it in part.

import { MalformedMessage } from '../protocol/reader.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { scanBatches } from './batch-scan.ts'
import type { Segment } from './segment.ts'
import { type FoundRecord, firstIn, type OpenBatch, recordFrom } from './timestamp-search.ts'

export interface OffsetRange {
  readonly startOffset: number
  /** Exclusive. */
  readonly endOffset: number
}

/** The first of those that share it; undefined where no record in the range has a timestamp. */
export async function findMaxTimestamp(
  segments: readonly Segment[], range: OffsetRange, open: OpenBatch,
): Promise<FoundRecord | undefined> {
  let most: FoundRecord | undefined
  for (const segment of segments.toSorted((one, other) => other.maxTimestamp - one.maxTimestamp)) {
    const { maxTimestamp, baseOffset } = segment
    if (maxTimestamp < Math.max(most?.timestamp ?? 0, 0)) break
    if (baseOffset >= range.endOffset) continue
    most = larger(most, await largestOf(segment, range, open))
  }
  return most
}

async function largestOf(segment: Segment, range: OffsetRange, open: OpenBatch): Promise<FoundRecord | undefined> {
  const index = await segment.index()
  const known = index.maxTimestampBefore(range.endOffset)
  const start = index.positionBeforeTimestamp(known)
  const found = await largestFrom(segment, { ...range, start }, open)
  if ((found?.timestamp ?? -1) >= known) return found
  // What the index has seen is a control record's, or lies before the range.
  return largestFrom(segment, { ...range, start: index.positionBefore(range.startOffset) }, open)
}

/** Among the batches from a position on. */
async function largestFrom(
  segment: Segment, range: OffsetRange & { readonly start: number }, open: OpenBatch,
): Promise<FoundRecord | undefined> {
  let whole: { readonly timestamp: number; readonly position: number } | undefined
  let partial: FoundRecord | undefined
  const file = await segment.acquire()
  try {
    for await (const { batch, position } of scanBatches({ file, start: range.start, end: segment.bytes })) {
      const { baseOffset, endOffset, maxTimestamp: timestamp } = batch
      if (baseOffset >= range.endOffset || whole?.timestamp === segment.maxTimestamp) break
      if (batch.isControl || batch.recordCount === 0 || timestamp < 0 || endOffset <= range.startOffset) continue
      const isWhole = baseOffset >= range.startOffset && endOffset <= range.endOffset
      if (!isWhole) partial = larger(partial, largestRecord(batch, range, open))
      else if (timestamp > (whole?.timestamp ?? -1)) whole = { timestamp, position }
    }
  } finally {
    segment.release()
  }
  if (whole === undefined || whole.timestamp < (partial?.timestamp ?? -1)) return partial
  const { timestamp, position } = whole
  const target = { timestamp, startOffset: range.startOffset }
  // A batch that has no record with the timestamp that it claims is as near as one can get.
  const inWhole = await firstIn(segment, position, (batch) => recordFrom(batch, target, open) ?? { offset: batch.baseOffset, timestamp })
  return larger(partial, inWhole)
}

/** Of a batch of which a part is in the range. */
function largestRecord(batch: RecordBatch, { startOffset, endOffset }: OffsetRange, open: OpenBatch): FoundRecord | undefined {
  let most: FoundRecord | undefined
  try {
    for (const { offset, timestamp } of open(batch)) {
      if (offset >= startOffset && offset < endOffset && timestamp > (most?.timestamp ?? -1)) most = { offset, timestamp }
    }
    return most
  } catch (cause) {
    if (!(cause instanceof MalformedMessage)) throw cause
    return { offset: Math.max(batch.baseOffset, startOffset), timestamp: batch.maxTimestamp }
  }
}

function larger(one: FoundRecord | undefined, other: FoundRecord | undefined): FoundRecord | undefined {
  if (one === undefined || other === undefined) return one ?? other
  if (one.timestamp !== other.timestamp) return one.timestamp > other.timestamp ? one : other
  return one.offset < other.offset ? one : other
}
