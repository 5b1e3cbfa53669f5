// Shortens a log from its end. Each step is durable before the next one, and after each the log is whole: first less is
// promised, then segments go from the last one on, then the one that is left is cut.

import { scanBatches } from './batch-scan.ts'
import { EpochCache } from './epoch-cache.ts'
import type { LogFiles } from './log-files.ts'
import type { OffsetGaps } from './offset-gaps.ts'
import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'

export interface Truncation {
  readonly files: LogFiles
  readonly segments: SegmentList
  readonly epochs: EpochCache
  readonly offset: number
}

export interface Promised {
  readonly logStartOffset: number
  readonly gaps: OffsetGaps
  /** Notes what is left durable. */
  lowerTo(endOffset: number): Promise<void>
}

/** Of what is in memory it changes the lineage alone; where segments were cut, the rest is made anew of the files afterwards. */
export async function truncateLog(of: Truncation, promise: Promised): Promise<void> {
  const { files, segments, epochs } = of
  // A deletion that was under way may have moved the log start since it was said how much is to go.
  const offset = Math.max(of.offset, promise.logStartOffset)
  const segment = segments.holding(offset)
  if (segment !== undefined) {
    const cut = await placeOf(offset, segment)
    if (cut !== undefined) {
      // In front of a gap the log ends before the batch that is cut: by how much only a recovery tells.
      await promise.lowerTo(promise.gaps.areKnown ? segment.baseOffset : cut.endOffset)
      // What is there, not what is on the list: a segment that could not be made may have left its file.
      await files.removeSegments((await files.segmentOffsets()).filter((baseOffset) => baseOffset > segment.baseOffset))
      segment.bytes = cut.position
      await segment.settle()
    }
  }
  // Also where nothing is cut: an epoch that began at the very end is not known any more (KAFKA-10706).
  const left = new EpochCache(epochs.starts)
  left.truncateFromEnd(offset)
  await files.writeEpochs(left.starts)
  epochs.reset(left.starts)
}

/** Where the batch that holds an offset lies; undefined where the segment ends before it. */
async function placeOf(offset: number, segment: Segment): Promise<{ readonly position: number; readonly endOffset: number } | undefined> {
  const start = (await segment.index()).positionBefore(offset)
  const file = await segment.acquire()
  try {
    for await (const { batch, position } of scanBatches({ file, start, end: segment.bytes })) {
      if (batch.endOffset > offset) return { position, endOffset: batch.baseOffset }
    }
    return undefined
  } finally {
    segment.release()
  }
}
