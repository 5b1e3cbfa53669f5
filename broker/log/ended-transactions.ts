/**
 * Transactions whose markers are written and not committed yet. As long as a marker may be cut off again, its transaction is
 * not decided for whoever reads committed records alone. A log that was closed since takes its markers for committed, as
 * Kafka does: who wrote one writes the same one again, until it is.
 */
export class EndedTransactions {
  /** In the order of their markers. */
  #ended: { readonly firstOffset: number; readonly markerOffset: number }[] = []

  add(firstOffset: number, markerOffset: number): void {
    this.#ended.push({ firstOffset, markerOffset })
  }

  /** The first offset of those whose markers are at or behind the high watermark. The others are forgotten: it never moves back. */
  firstUndecided(highWatermark: number): number | undefined {
    if (this.#ended.length === 0) return undefined
    this.#ended = this.#ended.filter(({ markerOffset }) => markerOffset >= highWatermark)
    let lowest: number | undefined
    for (const { firstOffset } of this.#ended) if (lowest === undefined || firstOffset < lowest) lowest = firstOffset
    return lowest
  }

  /** Markers from here on are gone, and their transactions open again. */
  truncateFromEnd(endOffset: number): void {
    this.#ended = this.#ended.filter(({ markerOffset }) => markerOffset < endOffset)
  }
}
