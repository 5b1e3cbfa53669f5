// Timestamps over the tier. They are not monotonic, so the answer is the first record in the order of offsets whose
// timestamp is at least the one asked for: rows first, then the time index of one segment, then its batches. Each row
// knows the largest timestamp up to its end, which ascends, so that the first row that can matter is found in a few
// steps however long the history is. Control records have no part in it.

import type { Manifest } from './manifest.ts'
import { TierError } from './tier-error.ts'
import type { FoundTimestamp, TierIo } from './tier-io.ts'
import type { TieredSegment } from './tiered-segment.ts'

export interface TimeSearchOptions {
  readonly manifest: Manifest
  readonly io: TierIo
}

/** Offsets [start, end) are searched: from the log's start to where the local log begins, or the tier ends. */
export interface SearchedRange {
  readonly start: number
  readonly end: number
}

const rowsAtATime = 50

/** The first record in the range with `timestamp` or later. Throws `TierError`. */
export async function findTimestamp(
  options: TimeSearchOptions, timestamp: number, range: SearchedRange,
): Promise<FoundTimestamp | undefined> {
  const { manifest, io } = options
  const first = await firstRowReaching(manifest, timestamp, range)
  if (first === undefined) return undefined
  for await (const segment of rowsFrom(manifest, first.baseOffset)) {
    if (segment.baseOffset >= range.end) return undefined
    if (segment.maxTimestamp < timestamp) continue
    // A batch that the index points to may have too small timestamps behind the start of the log: then the search goes on.
    const offsets = { offset: Math.max(range.start, segment.baseOffset), endOffset: Math.min(range.end, segment.endOffset) }
    const found = await io.findTimestamp({ segment, timestamp, ...offsets })
    if (found !== undefined) return found
  }
  return undefined
}

/** The largest timestamp in the range, and the first record that has it. Undefined: no record there has one. */
export async function findMaxTimestamp(options: TimeSearchOptions, range: SearchedRange): Promise<FoundTimestamp | undefined> {
  const { manifest, io } = options
  const isWithin = (segment: TieredSegment) => segment.baseOffset >= range.start && segment.endOffset <= range.end
  const last = range.start < range.end ? await manifest.floor(range.end - 1) : undefined
  if (last === undefined || last.maxTimestampSoFar < 0) return undefined
  // Mostly the largest of all is in the range; not where retention, or the local log, has the segment that it is in.
  const first = await firstRowReaching(manifest, last.maxTimestampSoFar, range)
  if (first?.maxTimestamp === last.maxTimestampSoFar && isWithin(first)) return findTimestamp(options, first.maxTimestamp, range)
  let most: FoundTimestamp | undefined
  for await (const segment of rowsFrom(manifest, (await manifest.floor(range.start))?.baseOffset ?? range.start)) {
    if (segment.baseOffset >= range.end) break
    if (segment.maxTimestamp <= (most?.timestamp ?? -1)) continue
    const timestamp = isWithin(segment) ? segment.maxTimestamp : 'largest'
    const offsets = { offset: Math.max(range.start, segment.baseOffset), endOffset: Math.min(range.end, segment.endOffset) }
    const found = await io.findTimestamp({ segment, timestamp, ...offsets })
    if (found !== undefined && found.timestamp > (most?.timestamp ?? -1)) most = found
  }
  return most
}

/** The row with the least offset whose largest timestamp so far is `timestamp` or later. */
async function firstRowReaching(manifest: Manifest, timestamp: number, range: SearchedRange): Promise<TieredSegment | undefined> {
  const { start, end } = range
  const rowAt = async (offset: number) => (await manifest.find(offset)) ?? (await manifest.floor(offset))
  if (start >= end) return undefined
  const last = await rowAt(end - 1)
  if (last === undefined || last.maxTimestampSoFar < timestamp) return undefined
  let high = last
  let low = start
  // Invariant: `high` reaches the timestamp, and every row that ends at `low` or before does not.
  while (low < high.baseOffset) {
    const middle = low + Math.floor((high.baseOffset - low) / 2)
    const row = await rowAt(middle)
    if (row === undefined) throw new TierError('damaged', `no row of the manifest begins at ${middle} or before`)
    if (row.maxTimestampSoFar >= timestamp) high = row
    else low = Math.max(row.endOffset, middle + 1)
  }
  return high
}

async function* rowsFrom(manifest: Manifest, offset: number): AsyncGenerator<TieredSegment> {
  let next = offset
  for (;;) {
    const rows = await manifest.rowsFrom(next, rowsAtATime)
    yield* rows
    if (rows.length < rowsAtATime) return
    next = rows.at(-1)!.endOffset
  }
}
