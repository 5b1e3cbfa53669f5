import type { CompactibleSegment } from '../log/log-compaction.ts'
import type { LogConfig } from '../log/log-config.ts'
import { indexIntervalBytesMin } from '../log/log-config.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { FilterCounts } from './batch-filter.ts'
import { CompactionError, type CompactionIo, type IndexedKeys } from './compaction-io.ts'
import type { Cleanable } from './compaction-plan.ts'

/** Full segments of which one is made, at most: what is swapped at once is lost at once when a pass is killed. */
const segmentsReadMax = 16
/** Small ones of which one is made. */
const filesReadMax = 64

export interface LogPassOptions {
  readonly io: CompactionIo
  readonly compaction: PartitionLog['compaction']
  readonly cleanable: Cleanable
  readonly config: LogConfig
  /** Wall clock, milliseconds, for the whole pass. */
  readonly now: number
  readonly mapBytesMax: number
  readonly inflatedBytesMax: number
  readonly bytesPerSecond: number
  /** Whether the log is still to be compacted here. Asked before each change. */
  isWanted(): boolean
  onProgress(progress: PassProgress): void
}

export interface PassProgress {
  readonly segmentsDone: number
  readonly segments: number
  readonly bytesDone: number
  readonly bytes: number
}

export interface PassDone {
  readonly indexed: IndexedKeys
  readonly counts: FilterCounts | undefined
}

/**
 * Compacts a log: learns the newest offset of each key in its dirty part, then puts group after group of its segments in order.
 * Each group is swapped by itself. A pass that ends in between has done a part of the work, and the next one begins from the start of
 * the log again, with the same first dirty offset. Throws `CompactionError`, and what the log throws.
 */
export async function compactLog(options: LogPassOptions): Promise<PassDone> {
  const { io, compaction, cleanable, config, now } = options
  const { segments, dirtyOffset } = cleanable
  await compaction.prepare()
  const aborted = await compaction.aborted()
  assertWanted(options)
  const { mapBytesMax, inflatedBytesMax, bytesPerSecond } = options
  const indexed = await io.begin({
    segments: segments.map(({ path, baseOffset, endOffset, bytes }) => ({ path, baseOffset, endOffset, bytes })), dirtyOffset,
    aborted, lastOfProducers: compaction.lastOfProducers(), now,
    deleteRetentionMs: config.deleteRetentionMs, mapBytesMax, inflatedBytesMax, bytesPerSecond,
  })
  if (cleanable.dirty.length > 0 && indexed.endOffset <= dirtyOffset) {
    throw new CompactionError('failed', `the keys of one batch at ${dirtyOffset} do not fit into log.cleaner.dedupe.buffer.size`)
  }
  const counts = await cleanGroups(options, segments.filter(({ baseOffset }) => baseOffset < indexed.endOffset))
  await compaction.cleanedUpTo(Math.max(indexed.endOffset, dirtyOffset))
  return { indexed, counts }
}

function assertWanted({ isWanted }: LogPassOptions): void {
  if (!isWanted()) throw new CompactionError('ended', 'the log is not to be compacted here any more')
}

async function cleanGroups(options: LogPassOptions, segments: readonly CompactibleSegment[]): Promise<FilterCounts | undefined> {
  const { io, compaction, config, onProgress } = options
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  const how = {
    indexIntervalBytes: Math.max(config.indexIntervalBytes, indexIntervalBytesMin),
    writtenBytesMax: config.segmentBytes, readBytesMax: config.segmentBytes * segmentsReadMax, segmentsMax: filesReadMax,
  }
  let counts: FilterCounts | undefined
  for (let from = 0; from < segments.length; ) {
    const cleaned = await io.clean({ from, ...compaction.pathsOf(segments[from]!.baseOffset), ...how })
    const { to, isUnchanged } = cleaned
    counts = cleaned.counts
    const isDone = isUnchanged || (options.isWanted() && (await compaction.replace(segments.slice(from, to), cleaned)))
    if (!isDone) {
      await compaction.discard(segments[from]!.baseOffset)
      throw new CompactionError('ended', 'the log is not what it was, or not to be compacted here any more')
    }
    from = to
    onProgress({ segmentsDone: to, segments: segments.length, bytesDone: counts.bytesRead, bytes })
  }
  return counts
}
