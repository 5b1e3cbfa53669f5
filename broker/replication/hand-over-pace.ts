import type { LeaderTerm } from './leader-term.ts'

export interface HandOverLimits {
  /** Milliseconds of silence after which a leader hands over; twice as many after each time that this did not help. */
  readonly silenceMsMax: number
  readonly handOverAfterMsMax: number
}

/**
 * When leaders that their followers do not reach hand over. Where none of the brokers of a partition hears of another, each
 * would pass it on after the same short silence, for ever, and each time with a change of the metadata. So a broker that gets
 * back what it gave waits longer, until in some term its followers reach it. `Key`: a partition, as long as it is open.
 */
export class HandOverPace<Key extends { readonly term: Pick<LeaderTerm, 'isCutOff' | 'ageMs'> | undefined }> {
  readonly #limits: HandOverLimits
  readonly #times = new WeakMap<Key, number>()

  constructor(limits: HandOverLimits) {
    this.#limits = limits
  }

  /** Whether this partition is to be handed over now. To be asked now and then. */
  isDue(partition: Key): boolean {
    const { silenceMsMax, handOverAfterMsMax } = this.#limits
    const { term } = partition
    if (term === undefined) return false
    if (!term.isCutOff(silenceMsMax)) {
      // In its first moments a term says nothing of who reaches it.
      if (term.ageMs > silenceMsMax) this.#times.delete(partition)
      return false
    }
    const afterMs = Math.min(silenceMsMax * 2 ** (this.#times.get(partition) ?? 0), handOverAfterMsMax)
    return term.isCutOff(afterMs)
  }

  handedOver(partition: Key): void {
    this.#times.set(partition, (this.#times.get(partition) ?? 0) + 1)
  }
}
