// Whether offsets may be missing in a log. Where it was never compacted they may not: a gap would be records that were lost.
// What is compacted here says so itself. A follower cannot know whether its leader's log was compacted before it came, so it
// believes a gap when it meets the same one again: an answer out of its turn would not come twice.

import type { Cleaning } from './log-files.ts'

export class OffsetGaps {
  readonly #note: () => void
  #areKnown: boolean
  #met: string | undefined

  /** `note`: makes it durable that there are gaps, and tells by `know` when that is done. */
  constructor({ hasGaps }: Pick<Cleaning, 'hasGaps'>, note: () => void) {
    this.#areKnown = hasGaps
    this.#note = note
  }

  get areKnown(): boolean {
    return this.#areKnown
  }

  know({ hasGaps }: Pick<Cleaning, 'hasGaps'>): void {
    this.#areKnown = hasGaps
  }

  /** Whether a batch at `baseOffset` can follow in a log that ends at `nextOffset`. */
  allow(nextOffset: number, baseOffset: number): boolean {
    if (baseOffset === nextOffset) return true
    if (baseOffset < nextOffset || this.#areKnown) return baseOffset > nextOffset
    const gap = `${nextOffset}-${baseOffset}`
    if (this.#met === gap) this.#note()
    this.#met = gap
    return false
  }
}
