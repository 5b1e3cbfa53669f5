import type { EpochCache } from '../log/epoch-cache.ts'

export interface Divergence {
  readonly epoch: number
  readonly endOffset: number
}

/**
 * Where a log and that of its reader part, seen from the reader's last record; undefined where they agree up to `offset`
 * (KIP-595). The reader cuts its log off at the end of the epoch that is named, or where that epoch ended in its own log
 * if that comes first, and asks again.
 */
export function divergence(
  epochs: Pick<EpochCache, 'endOffsetFor'>,
  of: { readonly endOffset: number; readonly offset: number; readonly lastFetchedEpoch: number },
): Divergence | undefined {
  if (of.lastFetchedEpoch < 0) return undefined
  const end = epochs.endOffsetFor(of.lastFetchedEpoch, of.endOffset)
  if (end === undefined || (end.epoch === of.lastFetchedEpoch && end.endOffset >= of.offset)) return undefined
  return end
}

/** Up to where a follower's log is the leader's, as far as this answer tells. */
export function truncationPoint(epochs: Pick<EpochCache, 'endOffsetFor'>, { epoch, endOffset }: Divergence, ownEndOffset: number): number {
  const own = epochs.endOffsetFor(epoch, ownEndOffset)
  return Math.min(endOffset, own?.endOffset ?? ownEndOffset, ownEndOffset)
}
