// What transactions do to a group's offsets: those that a producer commits in one wait, and become the group's, or nothing,
// when it has ended (KIP-98, KIP-447). That the group is part of the transaction has been made sure of before.

import { ErrorCode } from '../../protocol/error-code.ts'
import { type Circumstances, type Decision, replyOnly, type Ticket } from '../decision.ts'
import type { Group, GroupRecord } from '../group.ts'
import type { TransactionGuard } from '../transaction-guards.ts'
import { checkCommit, type CommitOffsets, offsetsOf, simpleGroup } from './commit.ts'
import { eachOffset } from './offsets.ts'
import type { PendingOffsets, PendingSource } from './pending.ts'

export interface CommitTransactionally
  extends Pick<CommitOffsets, 'ticket' | 'memberId' | 'instanceId' | 'epoch' | 'offsets'>, PendingSource {
  readonly producerId: number
  /** Held since before the transaction's coordinator was asked. */
  readonly guard: Pick<TransactionGuard, 'isVoid'>
}

/** Answers as `decideCommit` does. */
export function decideTransactionalCommit(group: Group, commit: CommitTransactionally, now: Circumstances): Decision {
  const { ticket, producerId, producerEpoch, coordinatorEpoch } = commit
  const error = checkTransaction(group.pending.get(producerId), commit) || checkMember(group.membership, commit)
  if (error !== ErrorCode.NONE) return replyOnly(ticket, error as ErrorCode)
  const { codes, changes } = offsetsOf({ ...commit, retentionMs: undefined }, now)
  const source = { producerId, producerEpoch, coordinatorEpoch }
  const waits = now.rules?.isRemoved('offsets wait for the end of their transaction') !== true
  const records: GroupRecord[] = changes.map((change) => {
    return waits ? { type: 'pendingOffset', ...source, ...change } : { type: 'offset', ...change }
  })
  return { records: [...simpleGroup(group, records, now), ...records], replies: [{ ticket, response: codes }], touched: [] }
}

function checkTransaction(known: PendingOffsets | undefined, { guard, producerEpoch }: CommitTransactionally): ErrorCode {
  // It may wait for an end that has come already: the transaction's coordinator is asked once more.
  if (guard.isVoid) return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
  if (known === undefined || producerEpoch === known.producerEpoch) return ErrorCode.NONE
  // What waits is of a transaction of which nobody has said here how it ended.
  return producerEpoch < known.producerEpoch ? ErrorCode.INVALID_PRODUCER_EPOCH : ErrorCode.CONCURRENT_TRANSACTIONS
}

/**
 * As of members that commit by themselves, but that producers need not say whose offsets they commit (TxnOffsetCommit before
 * v3), may go on while a generation is being handed out, and know of no epochs of members.
 */
function checkMember(membership: Group['membership'], { memberId, instanceId, epoch }: CommitTransactionally): ErrorCode {
  if (epoch < 0 && memberId === '' && instanceId === null) return ErrorCode.NONE
  const error = checkCommit(membership, { memberId, instanceId, epoch, version: 9 })
  switch (error) {
    case ErrorCode.REBALANCE_IN_PROGRESS: return ErrorCode.NONE
    case ErrorCode.STALE_MEMBER_EPOCH:
    case ErrorCode.GROUP_ID_NOT_FOUND: return ErrorCode.ILLEGAL_GENERATION
    default: return error
  }
}

export interface EndTransaction {
  readonly ticket: Ticket
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  readonly isCommit: boolean
  /** Its epoch is higher than that of what it ends: each transaction has an epoch of its own (KIP-890). */
  readonly hasOwnEpoch: boolean
}

/**
 * Answers a code. An end that comes again, or late, finds nothing of its own, and succeeds: once the table has confirmed that no other
 * broker has the group, where something may wait.
 */
export function decideEndTransaction(group: Group, end: EndTransaction, now: Circumstances): Decision {
  const { ticket, producerId, isCommit } = end
  const pending = group.pending.get(producerId)
  if (pending === undefined || !isMeant(pending, end)) return replyOnly(ticket, ErrorCode.NONE)
  if (end.coordinatorEpoch < pending.coordinatorEpoch) return replyOnly(ticket, ErrorCode.TRANSACTION_COORDINATOR_FENCED)
  const records: GroupRecord[] = []
  if (isCommit) {
    for (const { topicId, partition, offset } of eachOffset(pending.offsets)) {
      records.push({ type: 'offset', topicId, partition, offset: { ...offset, committedAt: now.now } })
    }
  }
  records.push({ type: 'transactionEnded', producerId })
  return { records, replies: [{ ticket, response: ErrorCode.NONE }], touched: [] }
}

function isMeant({ producerEpoch }: PendingSource, end: EndTransaction): boolean {
  return end.hasOwnEpoch ? producerEpoch < end.producerEpoch : producerEpoch <= end.producerEpoch
}
