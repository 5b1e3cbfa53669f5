// What becomes part of a transaction: partitions, and groups whose offsets do. A transaction begins with the first of them, and
// both are durable before the answer, so before anything is written to them.

import { ErrorCode } from '../../protocol/error-code.ts'
import type { Ticket } from '../decision.ts'
import { become, type Circumstances, type Decision, replyOnly } from './decision.ts'
import {
  holds, isPreparing, noGroups, noPartitions, type Transaction, type TransactionPartition, type TransactionVersion,
} from './transaction.ts'

export interface Add {
  readonly ticket: Ticket
  readonly producerId: number
  readonly producerEpoch: number
  readonly partitions: readonly TransactionPartition[]
  readonly groups: readonly string[]
  readonly version: TransactionVersion
}

export type Verify = Omit<Add, 'version'>

/** Answered with a code. */
export function decideAdd(transaction: Transaction | undefined, add: Add, now: Circumstances): Decision {
  const { ticket, producerId, producerEpoch, version } = add
  if (transaction === undefined) return replyOnly(ticket, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  // Before the producer is looked at: it may be about to get another id, and have heard of that already.
  if (isPreparing(transaction)) return replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  if (transaction.producerId !== producerId) return replyOnly(ticket, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerEpoch !== producerEpoch) return replyOnly(ticket, ErrorCode.PRODUCER_FENCED)
  const isOpen = transaction.state === 'Ongoing'
  if (isOpen && isPartAlready(transaction, add)) return replyOnly(ticket, ErrorCode.NONE)
  const before = isOpen ? transaction : { ...transaction, partitions: noPartitions, groups: noGroups, startedAt: now.now }
  const partitions = new Map(before.partitions)
  for (const { topicId, partition } of add.partitions) partitions.set(topicId, new Set([...partitions.get(topicId) ?? [], partition]))
  const groups = new Set([...before.groups, ...add.groups])
  return become({ ...before, state: 'Ongoing', partitions, groups, changedAt: now.now, version }, ticket, ErrorCode.NONE)
}

function isPartAlready(transaction: Transaction, { partitions, groups }: Pick<Add, 'partitions' | 'groups'>): boolean {
  return partitions.every((partition) => holds(transaction, partition)) && groups.every((group) => transaction.groups.has(group))
}

/** Whether something is part of the transaction already. Answered with a code for all, or with codes in the order of the partitions. */
export function decideVerify(transaction: Transaction | undefined, verify: Verify): Decision {
  const { ticket, producerId, producerEpoch, partitions, groups } = verify
  if (transaction === undefined) return replyOnly(ticket, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerId !== producerId) return replyOnly(ticket, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (transaction.producerEpoch !== producerEpoch) return replyOnly(ticket, ErrorCode.PRODUCER_FENCED)
  if (isPreparing(transaction)) return replyOnly(ticket, ErrorCode.CONCURRENT_TRANSACTIONS)
  if (!groups.every((group) => transaction.groups.has(group))) return replyOnly(ticket, ErrorCode.TRANSACTION_ABORTABLE)
  return replyOnly(ticket, partitions.map((partition) => holds(transaction, partition) ? ErrorCode.NONE : ErrorCode.TRANSACTION_ABORTABLE))
}
