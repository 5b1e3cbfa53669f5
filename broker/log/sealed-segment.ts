/**
 * A segment that will not change any more, as the tier sees it. `log/` does not know that an object store exists; it
 * only says what is sealed and drops what it is told that it may drop.
 */
export interface SealedSegment {
  readonly baseOffset: number
  /** Exclusive; the base offset of the next segment. */
  readonly endOffset: number
  /** Of the batches in bytes. */
  readonly bytes: number
  /** The largest in the segment, milliseconds since 1970; -1 where no record has one. */
  readonly maxTimestamp: number
  /** Wall clock of the seal, for age in metrics and retention; not for order. */
  readonly sealedAt: number
  /** Absolute path of a file that holds the batches one after another, exactly as on the wire. */
  readonly path: string
  /** What an object carries beside the batches. Reads files: not for the hot path. */
  sections(): Promise<SegmentSections>
}

export interface SegmentSections {
  /** Sparse, ascending: the batch that holds `offset` starts at byte `position`. The first entry is the first batch. */
  readonly offsets: readonly { readonly offset: number; readonly position: number }[]
  /** Sparse, ascending in both: no record before `offset` has a larger timestamp than `timestamp`. */
  readonly times: readonly { readonly timestamp: number; readonly offset: number }[]
  /** The lineage up to the end of the segment, from the log's first epoch on. */
  readonly epochs: readonly { readonly epoch: number; readonly startOffset: number }[]
  /** Producer state as of `endOffset`; its format is log/'s own. */
  readonly producers: Buffer
  /** Transactions that were aborted by a marker in this segment. Offsets are absolute. */
  readonly aborted: readonly AbortedTransaction[]
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Of the abort marker. */
  readonly lastOffset: number
  /** The last stable offset once this one was decided: where a search for overlapping ones may stop. */
  readonly lastStableOffset: number
}
