import type { RecordBatch } from '../protocol/record-batch.ts'
import type { Disk } from '../runtime/disk.ts'
import { baseOffsetAt, scanBatches } from './batch-scan.ts'
import type { EpochCache } from './epoch-cache.ts'
import { markerIn } from './marker.ts'
import type { ProducerState } from './producer-state.ts'
import { Segment } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'

export interface SegmentScan {
  readonly disk: Disk
  readonly directory: string
  readonly baseOffset: number
  readonly indexIntervalBytes: number
  /** The log was compacted: offsets may be missing before a batch. */
  readonly hasGaps: boolean
  /** No batch reaches beyond: where the next segment begins. Infinity: there is none. */
  readonly endOffsetMax: number
  /** Wall clock, milliseconds: when producers are taken to have been heard of. */
  readonly now: number
  /** Both as of the base offset; they take in what is found. */
  readonly epochs: EpochCache
  readonly producers: ProducerState
}

export interface ScannedSegment {
  /** With the bytes of its good batches. */
  readonly segment: Segment
  /** Behind the last good batch. */
  readonly endOffset: number
  /** Of the file. */
  readonly size: number
}

/** Reads a segment from its start to the first batch that is not good, and changes nothing. */
export async function scanSegment(scan: SegmentScan): Promise<ScannedSegment> {
  const { baseOffset, indexIntervalBytes, epochs, producers, now } = scan
  const index = new SegmentIndex()
  const segment = new Segment({ ...scan, bytes: 0, maxTimestamp: -1, abortedCount: 0, index })
  const file = await segment.acquire()
  try {
    const size = await file.size()
    let endOffset = baseOffset
    for await (const { batch, position } of scanBatches({ file, start: 0, end: size })) {
      if (!isGood(batch, endOffset, scan)) break
      index.note(batch, { position, intervalBytes: indexIntervalBytes })
      epochs.note(batch.leaderEpoch, batch.baseOffset)
      const aborted = producers.apply(batch, { now, marker: markerIn(batch) })
      if (aborted !== undefined) index.aborted.push(aborted)
      endOffset = batch.endOffset
      segment.bytes = position + batch.length
    }
    segment.maxTimestamp = index.maxTimestamp
    segment.abortedCount = index.aborted.length
    return { segment, endOffset, size }
  } catch (cause) {
    await segment.close()
    throw cause
  } finally {
    segment.release()
  }
}

/** Base offset and leader epoch lie before what the checksum covers: they have to be what they can only be. */
function isGood(batch: RecordBatch, endOffset: number, { hasGaps, endOffsetMax, epochs }: SegmentScan): boolean {
  const baseOffset = baseOffsetAt(batch.bytes, 0)
  const isNext = baseOffset === endOffset || (hasGaps && baseOffset > endOffset && baseOffset < endOffsetMax)
  return batch.magic === 2 && isNext && (!hasGaps || batch.endOffset <= endOffsetMax) &&
    epochs.allows(batch.leaderEpoch, baseOffset) && batch.isIntact()
}
