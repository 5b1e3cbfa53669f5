// Whether a partition is to be compacted now, and how far: Kafka's rules, over rows of the manifest instead of segments.

import type { CompactionState, ManifestHead } from '../manifest-items.ts'
import type { Manifest } from '../manifest.ts'
import type { CompactionConfig } from '../tier-source.ts'
import { type TieredSegment, timestampOf } from '../tiered-segment.ts'

/** What is in the manifest from the log's start on, as far as compaction has to do with it. */
export interface CompactionSurvey {
  /** Bytes of rows that were compacted. */
  readonly cleanBytes: number
  /** Bytes of rows that may be compacted and were not, or not as a whole. */
  readonly dirtyBytes: number
  /** Those rows, from the oldest on: at most as many as were asked for. */
  readonly dirty: readonly TieredSegment[]
  /** Exclusive: where the last row ends that may be compacted now; 0 where there is none. */
  readonly end: number
  /** Of the oldest dirty row; undefined where there is none. */
  readonly dirtySince: number | undefined
}

export interface SurveyOptions {
  readonly config: CompactionConfig
  /** Wall clock. */
  readonly now: number
  readonly dirtyRowsMax: number
}

const rowsAtATime = 500

export const notCompacted: CompactionState = { cleanedEnd: 0, passEnd: 0, passNext: 0, horizonMs: -1, passHorizonMs: -1 }

/** Looks at all rows, a page at a time. Throws `TierError` `away` or `damaged`. */
export async function surveyRows(manifest: Manifest, head: ManifestHead, options: SurveyOptions): Promise<CompactionSurvey> {
  const { config, now, dirtyRowsMax } = options
  const { cleanedEnd } = head.compaction ?? notCompacted
  const dirty: TieredSegment[] = []
  const sums = { cleanBytes: 0, dirtyBytes: 0, end: 0, dirtySince: undefined as number | undefined }
  for (let from = 0; ; ) {
    const rows = await manifest.rowsFrom(from, rowsAtATime)
    for (const row of rows) {
      if (row.endOffset <= head.logStart) continue
      const isDirty = row.endOffset > cleanedEnd
      // Kafka stops at the first segment with a record that is too young, whatever lies behind it.
      if (isDirty && config.lagMsMin > 0 && timestampOf(row) > now - config.lagMsMin) return { ...sums, dirty }
      sums.end = row.endOffset
      if (!isDirty) {
        sums.cleanBytes += row.batchesBytes
        continue
      }
      sums.dirtyBytes += row.batchesBytes
      sums.dirtySince ??= timestampOf(row)
      if (dirty.length < dirtyRowsMax) dirty.push(row)
    }
    if (rows.length < rowsAtATime) return { ...sums, dirty }
    from = rows.at(-1)!.endOffset
  }
}

export type CompactionReason = 'resumed' | 'dirty' | 'lag' | 'horizon'

/** Why a pass is due; undefined: none is. Pure. */
export function whyCompact(
  head: ManifestHead, survey: CompactionSurvey, { config, now }: Pick<SurveyOptions, 'config' | 'now'>,
): CompactionReason | undefined {
  const state = head.compaction ?? notCompacted
  if (isUnderWay(state)) return 'resumed'
  if (survey.dirtyBytes > 0 && dirtyRatio(survey) > config.dirtyRatioMin) return 'dirty'
  // A ratio of 0 asks for everything that is dirty.
  if (survey.dirtyBytes > 0 && config.dirtyRatioMin === 0) return 'dirty'
  if (survey.dirtySince !== undefined && now - survey.dirtySince > config.lagMsMax) return 'lag'
  // Kafka leaves deleted keys until more is written. Here nobody would ever write, once a topic is history.
  if (state.horizonMs >= 0 && now >= state.horizonMs && survey.end > 0) return 'horizon'
  return undefined
}

/** Whether a pass has swapped something and not come to its end. */
export function isUnderWay({ passNext }: CompactionState): boolean {
  return passNext > 0
}

/** 0 to 1; 0 where there is nothing. */
export function dirtyRatio({ cleanBytes, dirtyBytes }: Pick<CompactionSurvey, 'cleanBytes' | 'dirtyBytes'>): number {
  return dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes)
}
