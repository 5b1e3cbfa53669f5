// A transactional id as a value: its producer, and the transaction that is open or was last. Nobody changes one; commands are
// decided into records, and `fold` makes the next value of them. Loading folds the same records, made from what is stored.
//
//                 add                       end, timeout, init            markers written
//   Empty ───────────────▶ Ongoing ───────────────────────────▶ Prepare… ─────────────────▶ Complete…
//     ▲                       ▲                                                               │  │
//     └─────── init ──────────┼───────────────────────────────────────────────────────────────┘  │
//                             └──────────────────────────────── add ─────────────────────────────┘
//
// All of this is durable before anybody is told of it, but for the last step: whoever finds Prepare… in the table writes the
// markers once more, which changes nothing where they are written, and is then at Complete….

import type { Uuid } from '../../runtime/random.ts'

export type TransactionState = 'Empty' | 'Ongoing' | 'PrepareCommit' | 'PrepareAbort' | 'CompleteCommit' | 'CompleteAbort'

/** 0: an epoch lasts as long as its producer. 2: each transaction ends with a new one (KIP-890). */
export type TransactionVersion = 0 | 2

export interface Transaction {
  readonly transactionalId: string
  readonly state: TransactionState
  readonly producerId: number
  readonly producerEpoch: number
  /** Before the id was changed, because its epochs were used up; -1: never. */
  readonly previousProducerId: number
  /** What the producer had before `producerEpoch`, if it may not have heard of that yet; -1: nothing. */
  readonly lastProducerEpoch: number
  /** What takes the place of `producerId` once the transaction has ended; -1: it stays. */
  readonly nextProducerId: number
  /** Milliseconds after which an open transaction is aborted. */
  readonly timeoutMs: number
  /** Of the last transaction; wall clock, milliseconds; -1: there was none since the producer began. */
  readonly startedAt: number
  /** Wall clock, milliseconds. */
  readonly changedAt: number
  readonly version: TransactionVersion
  readonly partitions: TransactionPartitions
  /** Whose offsets are part of it. */
  readonly groups: ReadonlySet<string>
}

/** Partition numbers by topic: a topic that is made anew under the same name is another one. */
export type TransactionPartitions = ReadonlyMap<Uuid, ReadonlySet<number>>

export interface TransactionPartition {
  readonly topicId: Uuid
  readonly partition: number
}

/** An id and its epoch: what fences, and is fenced. */
export interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

export type TransactionRecord = TransactionChanged | TransactionForgotten

export interface TransactionChanged {
  readonly type: 'changed'
  readonly transaction: Transaction
  /** Not of one that is complete: the table says Prepare… then, which comes to the same. */
  readonly isDurable: boolean
}

export interface TransactionForgotten {
  readonly type: 'forgotten'
}

export const noProducerId = -1
export const noProducerEpoch = -1
/** Epochs are 16 bits wide on the wire. */
export const producerEpochMax = 32_767

export const noPartitions: TransactionPartitions = new Map()
export const noGroups: ReadonlySet<string> = new Set()

export function fold(transaction: Transaction | undefined, records: readonly TransactionRecord[]): Transaction | undefined {
  const last = records.at(-1)
  if (last === undefined) return transaction
  return last.type === 'forgotten' ? undefined : last.transaction
}

export function isDurable(record: TransactionRecord): boolean {
  return record.type === 'forgotten' || record.isDurable
}

export function isPreparing({ state }: Transaction): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

/** The last epoch of a producer is not given to clients: an abort needs one that is higher than theirs. */
export function isExhausted(producerEpoch: number): boolean {
  return producerEpoch >= producerEpochMax - 1
}

export function isOpen({ state }: Transaction): boolean {
  return state === 'Ongoing'
}

export function producerOf({ producerId, producerEpoch }: Transaction): Producer {
  return { producerId, producerEpoch }
}

export function isProducerOf({ producerId, producerEpoch }: Transaction, producer: Producer): boolean {
  return producer.producerId === producerId && producer.producerEpoch === producerEpoch
}

export function holds({ partitions }: Transaction, { topicId, partition }: TransactionPartition): boolean {
  return partitions.get(topicId)?.has(partition) === true
}

/** As a commit or an abort leaves it, once everybody has been told. */
export function completed(transaction: Transaction, now: number): Transaction {
  const { state, nextProducerId, producerId, producerEpoch, previousProducerId } = transaction
  const isRotated = nextProducerId !== noProducerId
  return {
    ...transaction,
    state: state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    producerId: isRotated ? nextProducerId : producerId,
    producerEpoch: isRotated ? 0 : producerEpoch,
    previousProducerId: isRotated ? producerId : previousProducerId,
    nextProducerId: noProducerId,
    partitions: noPartitions, groups: noGroups, changedAt: now,
  }
}
