/**
 * The part of a partition that is in the object store, as the partition sees it. `tier/` provides one; a partition
 * whose topic is not tiered has none.
 */
export interface ColdTier {
  /** The first offset behind the last committed object; undefined where nothing is there or nothing is known yet. */
  readonly endOffset: number | undefined
  /** Of the committed objects in bytes. */
  readonly bytes: number
  /**
   * Whole batches from the one that contains `offset`. `pending`: they are on their way, ask again. `unavailable`: the
   * store or the table is away; never to be taken for an end or a gap. A gap is what compaction has left to the end of the tier.
   */
  read(range: ColdRange): Promise<ColdBatches | ColdGap | 'pending' | 'unavailable'>
  /** Searches for the first record in the tier, from an offset on, whose timestamp is not below. */
  offsetForTimestamp(timestamp: number, startOffset: number): Promise<ColdSearch | 'unavailable'>
  /** Searches for the largest timestamp of the records in the tier that lie in the range, and the first that has it. */
  maxTimestamp(range: { readonly startOffset: number; readonly endOffset: number }): Promise<ColdSearch | 'unavailable'>
  /** Takes note that records below were deleted on request. */
  advanceLogStart(offset: number): Promise<void>
}

export interface ColdSearch {
  readonly found: OffsetAndTimestamp | undefined
  /** Exclusive: how far was searched, which is where the tier ended or less. More may be there, and less on disk, by now. */
  readonly endOffset: number
}

export interface ColdRange {
  readonly offset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly bytesMax: number
  readonly minOneBatch: boolean
  readonly wantsAborted: boolean
  /** Monotonic milliseconds at which whoever asks goes away; a fill goes on. */
  readonly deadline: number
}

export interface ColdBatches {
  readonly buffers: readonly Buffer[]
  readonly aborted: readonly AbortedRange[]
  /** Gives the memory of `buffers` back once nobody can see it any more. */
  release(): void
}

/** Nothing is left from the offset on that was asked for, up to this one. */
export interface ColdGap {
  readonly nextOffset: number
}

export interface AbortedRange {
  readonly producerId: number
  readonly firstOffset: number
}

export interface OffsetAndTimestamp {
  readonly offset: number
  readonly timestamp: number
}
