import type { SealedSegment } from '../log/sealed-segment.ts'
import type { ManifestHead } from './manifest-items.ts'

export type UploadPlan =
  | { readonly kind: 'upload'; readonly segment: SealedSegment; readonly start: number; readonly end: number }
  | { readonly kind: 'nothing' }
  /** What the tier needs next is not on local disk: a gap that nobody may paper over. */
  | { readonly kind: 'blocked'; readonly missing: { readonly start: number; readonly end: number } }

/**
 * The next upload: the oldest sealed segment of which the tier lacks something, from where the tier ends. Replicas roll
 * at different offsets, so after a change of leader that can be the rest of a segment. Only what lies wholly below the
 * last stable offset goes up: then every transaction in it is decided, and the tier never needs to change its mind.
 */
export function planUpload(head: ManifestHead, segments: readonly SealedSegment[], lastStableOffset: number): UploadPlan {
  const segment = segments.find((one) => one.endOffset > head.tieredEnd && one.endOffset > head.logStart)
  if (segment === undefined || segment.endOffset > lastStableOffset) return { kind: 'nothing' }
  const start = Math.max(segment.baseOffset, head.tieredEnd)
  const wanted = Math.max(head.tieredEnd, head.logStart)
  if (start > wanted) return { kind: 'blocked', missing: { start: wanted, end: start } }
  return { kind: 'upload', segment, start, end: segment.endOffset }
}

export interface UploadLag {
  readonly segments: number
  readonly bytes: number
  /** Wall clock of the oldest seal that is not in the tier. */
  readonly sealedAt: number | undefined
}

/** What is sealed and not in the tier; all that is sealed, where the tier is not known. */
export function uploadLag(head: ManifestHead | undefined, segments: readonly SealedSegment[]): UploadLag {
  const waiting = segments.filter((one) => one.endOffset > (head?.tieredEnd ?? 0))
  return { segments: waiting.length, bytes: waiting.reduce((total, one) => total + one.bytes, 0), sealedAt: waiting[0]?.sealedAt }
}
