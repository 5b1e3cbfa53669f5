// What a producer appends to a partition before its transaction is open there (KIP-890): its coordinator is asked first
// whether the partition is part of the transaction, or makes it one, and until that is known the batches wait in a line.
//
//   first batch ── asked ──▶ │ waits │ second │ third │ ──▶ all appended, or all refused
//                               a marker in between: what was asked says nothing any more
//
// A producer sends several batches one after another, so none may overtake those that wait, and where the first one is
// refused, so are all. Once the transaction is open in the log nothing is asked. Clients have five batches on their way per
// partition, and connections a bound on what they have in flight: so much waits at most.

import { markerIn } from '../log/marker.ts'
import type { Appended } from '../log/partition-log.ts'
import { failed } from '../log/pending-appends.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { RecordBatch } from '../protocol/record-batch.ts'
import type { Partition } from './partition.ts'

export type TransactionalBatch = Pick<RecordBatch, 'producerId' | 'producerEpoch' | 'baseSequence'>

export interface TransactionalAppend {
  readonly batch: TransactionalBatch
  /** Sequences begin at 0 in each transaction: since transaction version 2 each has an epoch of its own. */
  readonly beginsAtZero: boolean
  /** Admits it, in the same turn. */
  append(): Promise<Appended>
  /** Whether the partition is part of the transaction; any other code refuses the batch. Never rejects. */
  ask(): Promise<ErrorCode>
}

interface Line {
  readonly producerId: number
  readonly producerEpoch: number
  readonly waiting: { readonly append: () => Promise<Appended>; readonly resolve: (appended: Appended | Promise<Appended>) => void }[]
  /** A marker has ended the transaction of which was asked, or another one. */
  isVoid: boolean
}

export class TransactionalAppends {
  readonly #partition: Partition
  /** By producer and epoch. */
  readonly #lines = new Map<string, Line>()

  constructor(partition: Partition) {
    this.#partition = partition
  }

  /** Producers whose coordinators are being asked. */
  get size(): number {
    return this.#lines.size
  }

  append({ batch, beginsAtZero, append, ask }: TransactionalAppend): Promise<Appended> {
    const { producerId, producerEpoch, baseSequence } = batch
    const { log, term } = this.#partition
    const key = `${producerId}/${producerEpoch}`
    const known = this.#lines.get(key)
    const isSure = log.admitted.hasOpenTransaction(batch) || !this.#partition.isKept('a partition takes part before it is written to')
    if (known === undefined && isSure) return append()
    if (known === undefined && term === undefined) return Promise.resolve(failed(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'nothing was appended'))
    if (known === undefined && beginsAtZero && baseSequence !== 0 && !log.admitted.knows(producerId)) {
      const message = `producer ${producerId} began a transaction with sequence ${baseSequence}`
      return Promise.resolve(failed(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message))
    }
    const line: Line = known ?? { producerId, producerEpoch, waiting: [], isVoid: false }
    const answered = new Promise<Appended>((resolve) => line.waiting.push({ append, resolve }))
    if (known === undefined) {
      this.#lines.set(key, line)
      void ask().then((code) => {
        this.#lines.delete(key)
        this.#answer(line, code, this.#partition.term === term)
      })
    }
    return answered
  }

  #answer({ waiting, isVoid }: Line, code: ErrorCode, stillLeads: boolean): void {
    const refusal = code !== ErrorCode.NONE ? failed(code, 'the transaction\'s coordinator did not say that the partition is part of it')
      // Another leader may have written what this one has not heard of.
      : !stillLeads ? failed(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'another broker leads by now')
      : isVoid ? failed(ErrorCode.INVALID_TXN_STATE, 'the transaction has ended meanwhile') : undefined
    for (const { append, resolve } of waiting) resolve(refusal ?? append())
  }

  /** A marker is about to be written. By the newer rules it leaves the epochs behind it alone, and the log refuses those before. */
  ended(marker: Buffer, { hasOwnEpoch }: { readonly hasOwnEpoch: boolean }): void {
    if (this.#lines.size === 0) return
    const batch = new RecordBatch(marker)
    if (markerIn(batch) === undefined) return
    for (const line of this.#lines.values()) {
      if (line.producerId !== batch.producerId) continue
      if (hasOwnEpoch ? line.producerEpoch < batch.producerEpoch : line.producerEpoch <= batch.producerEpoch) line.isVoid = true
    }
  }
}
