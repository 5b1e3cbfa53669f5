// What retention deletes and what it only moves, decided from the manifest's rows and the local segments at once: one
// component, one clock, one comparison, over both tiers. Pure.
//
// The sum of bytes counts what is in the manifest, and what is on local disk above it. An upload under way is no row
// and so in no sum (KAFKA-17062), what lies in both tiers counts once (KAFKA-20732), and nothing is decided before the
// manifest was read in this term.

import type { SealedSegment } from '../log/sealed-segment.ts'
import type { ManifestHead } from './manifest-items.ts'
import type { TierConfig } from './tier-source.ts'
import { type TieredSegment, timestampOf } from './tiered-segment.ts'

export interface RetentionState {
  readonly now: number
  /** False after the wall clock has jumped: then nothing is old. */
  readonly isClockTrusted: boolean
  readonly config: TierConfig
  readonly head: ManifestHead
  /** The oldest rows of the manifest, in order; maybe not all of them. */
  readonly rows: readonly TieredSegment[]
  /** Sealed segments on local disk, in order. */
  readonly local: readonly SealedSegment[]
  /** Of all local segments, the open one too. */
  readonly localBytes: number
  readonly lastStableOffset: number
}

interface Candidate {
  readonly endOffset: number
  readonly bytes: number
  readonly timestamp: number
}

/** Where the log should start. Never below `head.logStart`, never in or behind the open segment. */
export function planLogStart(state: RetentionState): number {
  const { now, config, head, isClockTrusted } = state
  const { logStart } = head
  if (!config.isDeleteEnabled) return logStart
  const retentionMs = limitOf(config.retentionMs)
  const retentionBytes = limitOf(config.retentionBytes)
  let bytes = totalBytes(state)
  let start = logStart
  for (const candidate of candidates(state)) {
    const hasExpired = isClockTrusted && now - candidate.timestamp > retentionMs
    const isTooMuch = bytes - candidate.bytes >= retentionBytes
    if (!hasExpired && !isTooMuch) break
    bytes -= candidate.bytes
    start = candidate.endOffset
  }
  return start
}

/**
 * Below which offset local segments may go: all of it is in the manifest, at the epoch in which `head` was read, and is known
 * to be the same here. A follower may have other records at offsets that the tier has, until its leader has told it so. What was
 * compacted in the object store goes whatever the limits say: consumers would read here what is gone there.
 */
export function planEviction(state: Omit<RetentionState, 'rows'>): number {
  const { now, config, head, local, isClockTrusted, lastStableOffset } = state
  const retentionMs = limitOf(config.localRetentionMs === -2 ? config.retentionMs : config.localRetentionMs)
  const retentionBytes = limitOf(config.localRetentionBytes === -2 ? config.retentionBytes : config.localRetentionBytes)
  let bytes = state.localBytes
  let evicted = local[0]?.baseOffset ?? 0
  const compactedEnd = config.compaction === undefined ? 0 : head.compaction?.cleanedEnd ?? 0
  for (const segment of local) {
    if (segment.endOffset > Math.min(head.tieredEnd, lastStableOffset)) break
    // A timestamp in the future must not keep a copy on disk for ever (KAFKA-20609); nothing is lost by moving on.
    const hasExpired = isClockTrusted && now - Math.min(timestampOf(segment), segment.sealedAt) > retentionMs
    const isCompacted = segment.endOffset <= compactedEnd
    if (!hasExpired && !isCompacted && bytes - segment.bytes < retentionBytes) break
    bytes -= segment.bytes
    evicted = segment.endOffset
  }
  return evicted
}

/** Oldest first: what is in the manifest and then, if all of that is known, what is only on local disk. */
function* candidates({ head, rows, local, lastStableOffset }: RetentionState): Generator<Candidate> {
  for (const row of rows) {
    if (row.endOffset > head.logStart) yield { endOffset: row.endOffset, bytes: row.batchesBytes, timestamp: timestampOf(row) }
  }
  const known = rows.at(-1)?.endOffset ?? 0
  if (head.segments > 0 && known < head.tieredEnd) return
  for (const segment of local) {
    if (segment.baseOffset < head.tieredEnd || segment.endOffset <= head.logStart) continue
    if (segment.endOffset > lastStableOffset) return
    yield { endOffset: segment.endOffset, bytes: segment.bytes, timestamp: timestampOf(segment) }
  }
}

function totalBytes({ head, rows, local, localBytes }: RetentionState): number {
  const dead = sum(rows.filter((row) => row.endOffset <= head.logStart).map((row) => row.batchesBytes))
  // A segment whose range the manifest has in part, after a change of leader, is left out: that deletes too little.
  const isUncounted = (segment: SealedSegment) => segment.baseOffset < head.tieredEnd || segment.endOffset <= head.logStart
  const uncounted = sum(local.filter(isUncounted).map((segment) => segment.bytes))
  return head.bytes - dead + localBytes - uncounted
}

function limitOf(setting: number): number {
  return setting < 0 ? Infinity : setting
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
