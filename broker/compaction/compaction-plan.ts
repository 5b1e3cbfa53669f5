// Which part of a log may be compacted, and how dirty it is. Pure.

import type { CompactibleSegment } from '../log/log-compaction.ts'
import type { LogConfig } from '../log/log-config.ts'

export interface Cleanable {
  /** Sealed, in order, from the start of the log on, up to where nothing may be compacted yet. */
  readonly segments: readonly CompactibleSegment[]
  /** What lies below was compacted. */
  readonly dirtyOffset: number
  /** Of `segments`, those that have something behind `dirtyOffset`. */
  readonly dirty: readonly CompactibleSegment[]
  /** Of their bytes among all, from 0 to 1. */
  readonly dirtyRatio: number
}

/** `sealed`: those that may be compacted as far as transactions and replication go. */
export function cleanableOf(
  sealed: readonly CompactibleSegment[],
  { cleanedOffset, wallMs }: { readonly cleanedOffset: number; readonly wallMs: number },
  { minCompactionLagMs }: Pick<LogConfig, 'minCompactionLagMs'>,
): Cleanable {
  const dirtyOffset = Math.max(cleanedOffset, sealed[0]?.baseOffset ?? 0)
  const tooYoung = minCompactionLagMs <= 0
    ? -1
    : sealed.findIndex(({ endOffset, maxTimestamp }) => endOffset > dirtyOffset && maxTimestamp > wallMs - minCompactionLagMs)
  const segments = tooYoung < 0 ? sealed : sealed.slice(0, tooYoung)
  const dirty = segments.filter(({ endOffset }) => endOffset > dirtyOffset)
  const all = bytesOf(segments)
  return { segments, dirtyOffset, dirty, dirtyRatio: all === 0 ? 0 : bytesOf(dirty) / all }
}

function bytesOf(segments: readonly { readonly bytes: number }[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0)
}
