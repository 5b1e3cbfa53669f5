// Batches of idempotent producers that were turned away, so that those which were sent behind them are too.
//
// A producer has several batches on their way. Where the first one ever meets a broker that does not know yet that it leads,
// and the second one a moment later does not, a log that knows nothing of the producer would take the second one, and refuse
// the first for good. Producers that a log knows need none of this: it has their last sequence.

import type { RecordBatch } from '../protocol/record-batch.ts'

export type Sent = Pick<RecordBatch, 'producerId' | 'producerEpoch' | 'baseSequence'>

export class TurnedAway {
  readonly #producersMax: number
  /** The first sequence that was turned away and has not come again, by partition and producer; oldest first. */
  readonly #sequences = new Map<string, number>()

  constructor({ producersMax }: { readonly producersMax: number }) {
    this.#producersMax = producersMax
  }

  get size(): number {
    return this.#sequences.size
  }

  remember(place: string, batch: Sent): void {
    if (batch.producerId < 0) return
    const key = keyOf(place, batch)
    const known = this.#sequences.get(key)
    this.#sequences.delete(key)
    this.#sequences.set(key, Math.min(known ?? batch.baseSequence, batch.baseSequence))
    if (this.#sequences.size <= this.#producersMax) return
    for (const oldest of this.#sequences.keys()) return void this.#sequences.delete(oldest)
  }

  /** Whether something that was sent before this batch has not come again. It is forgotten once it comes. */
  isBehind(place: string, batch: Sent): boolean {
    if (this.#sequences.size === 0 || batch.producerId < 0) return false
    const key = keyOf(place, batch)
    const known = this.#sequences.get(key)
    if (known === undefined || batch.baseSequence > known) return known !== undefined
    this.#sequences.delete(key)
    return false
  }
}

function keyOf(place: string, { producerId, producerEpoch }: Sent): string {
  return `${place}/${producerId}/${producerEpoch}`
}
