// InitProducerId with a transactional id: a producer begins, and whoever had the id before is fenced by a new epoch. With the id
// and epoch that it has, a producer goes on after an error (KIP-360), unless another one has begun meanwhile.

import { ErrorCode } from '../../protocol/error-code.ts'
import type { Ticket } from '../decision.ts'
import { become, type Circumstances, type Decision, replyOnly } from './decision.ts'
import { prepareAbort } from './end.ts'
import {
  isExhausted, isPreparing, isProducerOf, noGroups, noPartitions, noProducerEpoch, noProducerId, type Producer, producerOf,
  type Transaction,
} from './transaction.ts'
import type { TransactionSettings } from './transaction-settings.ts'

export interface Init {
  readonly ticket: Ticket
  readonly transactionalId: string
  readonly timeoutMs: number
  /** What the producer believes that it has. */
  readonly expected: Producer | undefined
}

export function isAllowedTimeout({ timeoutMs }: Init, { timeoutMsMax }: TransactionSettings): boolean {
  return timeoutMs > 0 && timeoutMs <= timeoutMsMax
}

/** Answered with a `Producer`, or with the code that refuses it. */
export function decideInit(transaction: Transaction | undefined, init: Init, now: Circumstances): Decision {
  const { ticket, expected } = init
  if (!isAllowedTimeout(init, now.settings)) return replyOnly(ticket, ErrorCode.INVALID_TRANSACTION_TIMEOUT)
  if (transaction === undefined) return begin(init, now)
  // Also for who was fenced: what is being ended, ends as it was decided, whoever asks.
  if (isPreparing(transaction)) return replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  if (expected !== undefined && !isKnown(transaction, expected)) return replyOnly(ticket, ErrorCode.PRODUCER_FENCED)
  if (transaction.state === 'Ongoing') {
    // Kafka aborts here, too, for a producer of an earlier epoch, which then is fenced. Ours does so at once.
    if (expected !== undefined && !isProducerOf(transaction, expected)) return replyOnly(ticket, ErrorCode.PRODUCER_FENCED)
    return prepareAbort(transaction, { ticket, response: ErrorCode.CONCURRENT_TRANSACTIONS, now })
  }
  return nextEpoch(transaction, init, now)
}

function begin({ ticket, transactionalId, timeoutMs }: Init, now: Circumstances): Decision {
  const producerId = now.takeProducerId()
  if (producerId === undefined) return replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  const transaction: Transaction = {
    transactionalId, state: 'Empty', producerId, producerEpoch: 0, previousProducerId: noProducerId, lastProducerEpoch: noProducerEpoch,
    nextProducerId: noProducerId, timeoutMs, startedAt: -1, changedAt: now.now, version: 0, partitions: noPartitions, groups: noGroups,
  }
  return become(transaction, ticket, producerOf(transaction))
}

function isKnown({ producerId, previousProducerId }: Transaction, expected: Producer): boolean {
  if (expected.producerId === producerId) return true
  // It has the last epoch of the id before: it may not have heard that it has a new one.
  return expected.producerId === previousProducerId && isExhausted(expected.producerEpoch)
}

function nextEpoch(transaction: Transaction, { ticket, timeoutMs, expected }: Init, now: Circumstances): Decision {
  const { producerId, producerEpoch, lastProducerEpoch } = transaction
  const next = { ...transaction, state: 'Empty' as const, timeoutMs, startedAt: -1, changedAt: now.now }
  if (expected !== undefined && !isProducerOf(transaction, expected)) {
    if (expected.producerEpoch !== lastProducerEpoch) return replyOnly(ticket, ErrorCode.PRODUCER_FENCED)
    // It has asked before, and was not reached by the answer.
    return become(next, ticket, producerOf(transaction))
  }
  const last = expected === undefined ? noProducerEpoch : producerEpoch
  if (!isExhausted(producerEpoch)) {
    const bumped = { ...next, producerEpoch: producerEpoch + 1, lastProducerEpoch: last }
    return become(bumped, ticket, producerOf(bumped))
  }
  const fresh = now.takeProducerId()
  if (fresh === undefined) return replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  const rotated = { ...next, producerId: fresh, producerEpoch: 0, previousProducerId: producerId, lastProducerEpoch: last }
  return become(rotated, ticket, producerOf(rotated))
}
