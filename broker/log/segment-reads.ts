// Reads that may concern more than one segment. The list of segments may change under them: eviction takes from its start.

import type { BufferPool } from '../runtime/buffer-pool.ts'
import type { LentBatches } from './hot-ring.ts'
import type { AbortedTransaction } from './sealed-segment.ts'
import { type BatchRange, nothing } from './segment.ts'
import type { SegmentList } from './segment-list.ts'

/** Batches of one segment; none where eviction was faster. */
export async function readSegments(segments: SegmentList, range: BatchRange, pool: BufferPool): Promise<LentBatches> {
  const segment = segments.holding(range.offset)
  if (segment === undefined) return nothing
  try {
    const read = await segment.read(range, pool)
    if (read !== 'end') return read
    if (segment === segments.active) return nothing
    if (!segments.all.includes(segment)) return await readSegments(segments, range, pool)
    // What held the offset has been compacted away up to the end of the segment.
    const next = segments.endOffsetOf(segment)
    return next < range.endOffset ? await readSegments(segments, { ...range, offset: next }, pool) : nothing
  } catch (cause) {
    // Evicted, or another one is in its place.
    if (!segments.all.includes(segment)) return await readSegments(segments, range, pool)
    throw cause
  }
}

/** Transactions that were aborted and have records in the range. */
export async function findAborted(
  segments: SegmentList, range: { readonly start: number; readonly end: number },
): Promise<AbortedTransaction[]> {
  const found: AbortedTransaction[] = []
  const all = segments.all
  for (const [index, segment] of all.entries()) {
    // A transaction may have been aborted by a marker in a later segment than its records, never in an earlier one.
    const next = all[index + 1]
    if (segment.abortedCount === 0 || (next !== undefined && next.baseOffset <= range.start)) continue
    for (const one of (await segment.index()).aborted) {
      if (one.lastOffset >= range.start && one.firstOffset < range.end) found.push(one)
      // Everything below was decided by then: what was aborted later begins behind the range.
      if (one.lastStableOffset >= range.end) return found
    }
  }
  return found
}
