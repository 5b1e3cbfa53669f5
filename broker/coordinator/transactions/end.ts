// How a transaction ends: EndTxn by the rules of both transaction versions, its timeout, and the end of telling everybody.
//
// By version 2 (KIP-890, EndTxn from v5 on) each end takes the next epoch, so that what comes late from this transaction is not
// taken for part of the next one. A retry is known by its epoch, which is the one before.

import { ErrorCode } from '../../protocol/error-code.ts'
import type { Ticket } from '../decision.ts'
import { become, type Circumstances, type Decision, nothing, replyOnly } from './decision.ts'
import {
  completed, isExhausted, isOpen, isPreparing, isProducerOf, noProducerId, type Producer, producerEpochMax, producerOf, type Transaction,
  type TransactionVersion,
} from './transaction.ts'

export interface End {
  readonly ticket: Ticket
  readonly producerId: number
  readonly producerEpoch: number
  readonly isCommit: boolean
  readonly version: TransactionVersion
}

/** Answered with the `Producer` that goes on, or with the code that refuses it. */
export function decideEnd(transaction: Transaction | undefined, end: End, now: Circumstances): Decision {
  if (transaction === undefined) return replyOnly(end.ticket, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  return end.version === 2 ? endWithEpoch(transaction, end, now) : endAsBefore(transaction, end, now)
}

function endAsBefore(transaction: Transaction, end: End, now: Circumstances): Decision {
  const { ticket, isCommit } = end
  if (transaction.producerId !== end.producerId) return replyOnly(ticket, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerEpoch !== end.producerEpoch) return replyOnly(ticket, ErrorCode.PRODUCER_FENCED)
  if (isPreparing(transaction)) return replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  if (transaction.state !== 'Ongoing') {
    return replyOnly(ticket, hasEndedSo(transaction, isCommit) ? producerOf(transaction) : ErrorCode.INVALID_TXN_STATE)
  }
  const prepared = { ...transaction, state: preparing(isCommit), changedAt: now.now, version: 0 as const }
  return become(prepared, ticket, producerOf(prepared))
}

function hasEndedSo({ state }: Transaction, isCommit: boolean): boolean {
  return state === (isCommit ? 'CompleteCommit' : 'CompleteAbort')
}

function preparing(isCommit: boolean): 'PrepareCommit' | 'PrepareAbort' {
  return isCommit ? 'PrepareCommit' : 'PrepareAbort'
}

function endWithEpoch(transaction: Transaction, end: End, now: Circumstances): Decision {
  const { ticket, isCommit } = end
  // Before the producer is looked at, as in an addition.
  if (isPreparing(transaction)) return replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  const isOfLastId = end.producerId === transaction.previousProducerId && end.producerEpoch === producerEpochMax - 1 &&
    transaction.producerEpoch === 0
  if (transaction.producerId !== end.producerId && !isOfLastId) return replyOnly(ticket, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  const { state } = transaction
  const isComplete = state === 'CompleteCommit' || state === 'CompleteAbort'
  const isRetry = isComplete && (isOfLastId || end.producerEpoch + 1 === transaction.producerEpoch)
  if (!isRetry && !isProducerOf(transaction, end)) return replyOnly(ticket, ErrorCode.PRODUCER_FENCED)
  if (state === 'Ongoing') return prepare(transaction, isCommit, { ticket, now })
  if (isRetry) return replyOnly(ticket, hasEndedSo(transaction, isCommit) ? producerOf(transaction) : ErrorCode.INVALID_TXN_STATE)
  // Nothing is part of the transaction, and yet something may be on its way that is to be fenced.
  return isCommit ? replyOnly(ticket, ErrorCode.INVALID_TXN_STATE) : prepare({ ...transaction, startedAt: now.now }, false, { ticket, now })
}

interface Preparing {
  readonly ticket?: Ticket
  readonly now: Circumstances
  /** Instead of the producer that goes on. */
  readonly response?: ErrorCode
}

/** Aborts for a reason that is not the producer's: its epoch is over with that, by whatever version it goes. */
export function prepareAbort(transaction: Transaction, options: Preparing): Decision {
  return prepare(transaction, false, options)
}

function prepare(transaction: Transaction, isCommit: boolean, { ticket, now, response }: Preparing): Decision {
  const { producerEpoch } = transaction
  const nextProducerId = isExhausted(producerEpoch) ? now.takeProducerId() : noProducerId
  if (nextProducerId === undefined) return ticket === undefined ? nothing : replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  const prepared: Transaction = {
    ...transaction, state: preparing(isCommit), nextProducerId, changedAt: now.now, version: 2,
    producerEpoch: Math.min(producerEpoch + 1, producerEpochMax), lastProducerEpoch: producerEpoch,
  }
  const next: Producer = producerOf(completed(prepared, now.now))
  return become(prepared, ticket, response ?? next)
}

/** The transaction that began then is open for longer than it may be. */
export function decideTimeout(transaction: Transaction | undefined, startedAt: number, now: Circumstances): Decision {
  if (transaction === undefined || !isOpen(transaction) || transaction.startedAt !== startedAt) return nothing
  return prepareAbort(transaction, { now })
}

/** Everybody has been told how the transaction of this epoch has ended. */
export function decideTold(transaction: Transaction | undefined, told: Producer, now: Circumstances): Decision {
  if (transaction === undefined || !isPreparing(transaction)) return nothing
  if (transaction.producerId !== told.producerId || transaction.producerEpoch !== told.producerEpoch) return nothing
  return { records: [{ type: 'changed', transaction: completed(transaction, now.now), isDurable: false }], replies: [] }
}
