import { scanBatches } from './batch-scan.ts'
import type { LogFiles } from './log-files.ts'
import { markerIn } from './marker.ts'
import { ProducerState } from './producer-state.ts'
import type { SegmentList } from './segment-list.ts'

/**
 * The producers as of the end of a sealed segment, made anew of the batches: from the newest snapshot before it on, or
 * from the first segment that is here.
 */
export async function rebuildProducers(of: {
  readonly files: LogFiles
  readonly segments: SegmentList
  /** Of a sealed segment. */
  readonly endOffset: number
  /** Wall clock, milliseconds: when producers are taken to have been heard of. */
  readonly now: number
}): Promise<ProducerState> {
  const before = of.segments.all.filter(({ baseOffset }) => baseOffset < of.endOffset)
  let start = before.length
  let producers: ProducerState | undefined
  while (start > 0 && producers === undefined) producers = await of.files.readProducers(before[--start]!.baseOffset)
  const rebuilt = producers ?? new ProducerState()
  for (const segment of before.slice(start)) {
    const file = await segment.acquire()
    try {
      for await (const { batch } of scanBatches({ file, start: 0, end: segment.bytes })) {
        rebuilt.apply(batch, { now: of.now, marker: markerIn(batch) })
      }
    } finally {
      segment.release()
    }
  }
  return rebuilt
}
