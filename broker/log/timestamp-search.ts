// The first record at or behind a timestamp. Timestamps are not monotonic: the lowest offset wins, so segments are looked
// at in order, and each is passed over by its largest timestamp where it can be.

import { MalformedMessage } from '../protocol/reader.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { scanBatches } from './batch-scan.ts'
import type { Segment } from './segment.ts'

export interface FoundRecord {
  readonly offset: number
  readonly timestamp: number
}

/** Opens a batch: the offset and timestamp of each of its records, in order. */
export type OpenBatch = (batch: RecordBatch) => Iterable<FoundRecord>

export interface TimestampTarget {
  readonly timestamp: number
  /** Records before this offset are not looked at. */
  readonly startOffset: number
}

export async function findTimestamp(
  segments: readonly Segment[], target: TimestampTarget, open: OpenBatch,
): Promise<FoundRecord | undefined> {
  for (const segment of segments) {
    if (segment.maxTimestamp < target.timestamp) continue
    const start = (await segment.index()).positionBeforeTimestamp(target.timestamp)
    const found = await firstIn(segment, start, (batch) => recordFrom(batch, target, open))
    if (found !== undefined) return found
  }
  return undefined
}

/** What `look` finds first in the batches from a position on. */
export async function firstIn(
  segment: Segment, start: number, look: (batch: RecordBatch) => FoundRecord | undefined,
): Promise<FoundRecord | undefined> {
  const file = await segment.acquire()
  try {
    for await (const { batch } of scanBatches({ file, start, end: segment.bytes })) {
      const found = look(batch)
      if (found !== undefined) return found
    }
    return undefined
  } finally {
    segment.release()
  }
}

/** The first record of a batch that is at or behind the timestamp. */
export function recordFrom(batch: RecordBatch, { timestamp, startOffset }: TimestampTarget, open: OpenBatch): FoundRecord | undefined {
  if (batch.isControl || batch.maxTimestamp < timestamp || batch.endOffset <= startOffset) return undefined
  if (batch.hasLogAppendTime) return { offset: Math.max(batch.baseOffset, startOffset), timestamp: batch.maxTimestamp }
  try {
    for (const record of open(batch)) {
      if (record.timestamp >= timestamp && record.offset >= startOffset) return { offset: record.offset, timestamp: record.timestamp }
    }
    return undefined
  } catch (cause) {
    // What a client has compressed wrongly is nobody else's trouble: the batch as a whole is as near as one can get.
    if (!(cause instanceof MalformedMessage)) throw cause
    return { offset: Math.max(batch.baseOffset, startOffset), timestamp: batch.maxTimestamp }
  }
}
