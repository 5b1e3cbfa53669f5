// When a segment is sealed by its age, and which segments of a log that is not tiered may go. Pure plans over what is
// there; the log carries them out.

import type { Clock } from '../runtime/clock.ts'
import type { LogConfig } from './log-config.ts'

export interface RetainedSegment {
  readonly baseOffset: number
  readonly endOffset: number
  readonly bytes: number
  /** -1: no record has a timestamp. */
  readonly maxTimestamp: number
}

export interface RetentionLimits {
  /** -1: for ever. */
  readonly retentionMs: number
  /** -1: no limit. */
  readonly retentionBytes: number
}

/**
 * The new log start: behind the oldest segments that are too old, or that the limit on bytes has no room for. `sealed`
 * in order; the open segment's bytes count, but it stays.
 */
export function planLogStart(
  sealed: readonly RetainedSegment[],
  now: { readonly wallMs: number; readonly openBytes: number; readonly logStartOffset: number },
  limits: RetentionLimits,
): number {
  let excess = now.openBytes - limits.retentionBytes
  for (const segment of sealed) excess += segment.bytes
  let start = now.logStartOffset
  for (const segment of sealed) {
    // Without timestamps nothing is known of its age, and unknown means keep.
    const isOld = limits.retentionMs >= 0 && segment.maxTimestamp >= 0 && segment.maxTimestamp < now.wallMs - limits.retentionMs
    const isTooMuch = limits.retentionBytes >= 0 && excess >= segment.bytes
    const isBelowStart = segment.endOffset <= now.logStartOffset
    if (!isOld && !isTooMuch && !isBelowStart) break
    excess -= segment.bytes
    start = Math.max(start, segment.endOffset)
  }
  return start
}

/** Whether the open segment is old enough to be sealed: by its age, or because all that is in it is to be deleted. */
export function isDue(
  { firstAppendAt, maxTimestamp }: { readonly firstAppendAt: number | undefined; readonly maxTimestamp: number },
  { wallMs, isClockTrusted }: { readonly wallMs: number; readonly isClockTrusted: boolean },
  { segmentMs, retentionMs, isDeleted, isTiered }: LogConfig,
): boolean {
  if (wallMs - (firstAppendAt ?? wallMs) >= segmentMs) return true
  return isDeleted && !isTiered && isClockTrusted && retentionMs >= 0 && maxTimestamp >= 0 && maxTimestamp < wallMs - retentionMs
}

/** How far the wall clock may run away from the monotonic one between two looks before it is not believed. */
const stepMsMax = 60_000
const distrustMs = 3_600_000

/**
 * Watches the wall clock against the monotonic one. A step forward would make every record old at once and delete what
 * cannot be had back, so after one nothing is deleted by age for an hour: long enough for somebody to look.
 */
export class ClockWatch {
  readonly #clock: Clock
  #wall: number
  #monotonic: number
  #distrustedUntil = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
    this.#wall = clock.now()
    this.#monotonic = clock.monotonic()
  }

  /** Whether ages may be counted now. Call it at each look. */
  isTrusted(): boolean {
    const wall = this.#clock.now()
    const monotonic = this.#clock.monotonic()
    const step = wall - this.#wall - (monotonic - this.#monotonic)
    if (Math.abs(step) > stepMsMax) this.#distrustedUntil = monotonic + distrustMs
    this.#wall = wall
    this.#monotonic = monotonic
    return monotonic >= this.#distrustedUntil
  }
}
