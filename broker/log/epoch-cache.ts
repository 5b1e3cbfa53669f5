/** An epoch began at an offset. */
export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

/**
 * The lineage of a log: which leader epoch began where. A follower and a leader find with it where their logs part
 * (KIP-101, KIP-279), and a client whether its records are still there (KIP-320).
 */
export class EpochCache {
  #starts: EpochStart[]

  constructor(starts: readonly EpochStart[] = []) {
    this.#starts = [...starts]
  }

  get starts(): readonly EpochStart[] {
    return this.#starts
  }

  get latest(): number | undefined {
    return this.#starts.at(-1)?.epoch
  }

  /** Whether a batch of `epoch` can lie at `offset`: it continues the epoch there, or begins one that is not known yet. */
  allows(epoch: number, offset: number): boolean {
    const first = this.#starts[0]
    if (first === undefined || epoch > this.latest!) return true
    return offset < first.startOffset ? epoch <= first.epoch : this.epochAt(offset) === epoch
  }

  /** Takes note that the batch at `offset` is of `epoch`. Epochs and offsets only grow; what is known already is passed over. */
  note(epoch: number, offset: number): void {
    const last = this.#starts.at(-1)
    if (last === undefined || epoch > last.epoch) this.#starts.push({ epoch, startOffset: offset })
  }

  /**
   * A leader begins an epoch at the end of its log, before it has a record of it: what a follower has beyond is not the
   * leader's, even if that is of an epoch that the leader never saw.
   */
  begin(epoch: number, endOffset: number): void {
    if (epoch <= (this.latest ?? -1)) return
    this.truncateFromEnd(endOffset)
    this.#starts.push({ epoch, startOffset: endOffset })
  }

  /** Of the record at an offset; undefined where that lies before all that is known. */
  epochAt(offset: number): number | undefined {
    return this.#starts.findLast(({ startOffset }) => startOffset <= offset)?.epoch
  }

  /**
   * Where the largest known epoch that is not above `epoch` ended, `endOffset` being the end of the log. For an epoch
   * before all that is known it is the start of the first one. Undefined for an epoch that is not known yet.
   */
  endOffsetFor(epoch: number, endOffset: number): { readonly epoch: number; readonly endOffset: number } | undefined {
    const latest = this.latest
    if (latest === undefined || epoch > latest || epoch < 0) return undefined
    if (epoch === latest) return { epoch, endOffset }
    const above = this.#starts.findIndex((start) => start.epoch > epoch)
    const next = this.#starts[above]!
    return { epoch: above === 0 ? epoch : this.#starts[above - 1]!.epoch, endOffset: next.startOffset }
  }

  /** Takes another lineage instead. */
  reset(starts: readonly EpochStart[]): void {
    this.#starts = [...starts]
  }

  /** Forgets what began at or behind `endOffset`, the new end of the log. */
  truncateFromEnd(endOffset: number): void {
    this.#starts = this.#starts.filter(({ startOffset }) => startOffset < endOffset)
  }

  /** Forgets what ended before `startOffset`, the new start of the log. */
  truncateFromStart(startOffset: number): void {
    const first = this.#starts.findLastIndex((start) => start.startOffset <= startOffset)
    if (first < 0) return
    this.#starts = [{ epoch: this.#starts[first]!.epoch, startOffset: Math.max(startOffset, this.#starts[first]!.startOffset) },
      ...this.#starts.slice(first + 1)]
  }
}
