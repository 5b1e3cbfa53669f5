// What a pass has to know of transactions while it walks along a log: whose records were aborted, and whether anything of a
// transaction is left when its marker comes. It lives as long as the pass does, over all segments or objects of it: a
// transaction does not end where a segment does (KAFKA-8351).

import type { AbortedTransaction } from '../log/sealed-segment.ts'
import type { Marker } from '../log/producer-state.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'

export interface TransactionsAtStart {
  /**
   * All that were aborted and have records at or behind the start, in any order, also those whose records only the part has that
   * is not cleaned: what is not known to be aborted is taken for committed (KAFKA-13727).
   */
  readonly aborted: readonly AbortedTransaction[]
  /** Producers with a transaction that is open where the pass begins: it has records before. Empty where it begins with the log. */
  readonly openProducers?: Iterable<number>
}

interface OpenAbort {
  readonly transaction: AbortedTransaction
  hasBatches: boolean
}

export class CleanedTransactions {
  /** In order, from `#next` on. */
  readonly #aborted: readonly AbortedTransaction[]
  #next = 0
  readonly #openAborts = new Map<number, OpenAbort>()
  /** Producers whose open transaction will be committed, and that had batches. */
  readonly #openCommits = new Set<number>()

  constructor({ aborted, openProducers = [] }: TransactionsAtStart) {
    this.#aborted = aborted.toSorted((one, other) => one.firstOffset - other.firstOffset)
    for (const producerId of openProducers) this.#openCommits.add(producerId)
  }

  /** Takes a data batch in; true: its records were aborted. */
  isAborted(batch: RecordBatch): boolean {
    if (!batch.isTransactional) return false
    this.#openUpTo(batch.lastOffset)
    const { producerId } = batch
    const abort = this.#openAborts.get(producerId)
    if (abort === undefined || abort.transaction.lastOffset < batch.baseOffset) {
      this.#openCommits.add(producerId)
      return false
    }
    abort.hasBatches = true
    return true
  }

  /**
   * Takes a control batch in, of which `marker` is what it says; undefined: nothing any more. Says whether its transaction has
   * no batches that this pass has seen, so that nobody needs it, and which entry of the index of aborted ones has to stay.
   */
  end(batch: RecordBatch, marker: Marker | undefined): { readonly isEmpty: boolean; readonly kept: AbortedTransaction | undefined } {
    this.#openUpTo(batch.lastOffset)
    // What was emptied before ends nothing: what it ended is gone.
    if (marker === undefined) return { isEmpty: true, kept: undefined }
    const { producerId } = batch
    if (marker.isCommit) return { isEmpty: !this.#openCommits.delete(producerId), kept: undefined }
    const abort = this.#openAborts.get(producerId)
    this.#openAborts.delete(producerId)
    return abort?.hasBatches ? { isEmpty: false, kept: abort.transaction } : { isEmpty: true, kept: undefined }
  }

  #openUpTo(offset: number): void {
    for (;;) {
      const transaction = this.#aborted[this.#next]
      if (transaction === undefined || transaction.firstOffset > offset) return
      this.#next++
      const { producerId } = transaction
      // One that is over without a marker that was seen gives way.
      if ((this.#openAborts.get(producerId)?.transaction.lastOffset ?? -1) >= offset) continue
      // Open where the pass began: it has batches before.
      this.#openAborts.set(producerId, { transaction, hasBatches: this.#openCommits.delete(producerId) })
    }
  }
}
