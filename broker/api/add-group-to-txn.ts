// AddGroupToTxn, v0, from coordinators of groups: the group's offsets become part of a transaction, for clients that leave this to
// the broker (KIP-890); or, for older ones, are they part of it? Then the answer is TRANSACTION_ABORTABLE where they are not.

import { canBeStored } from '../coordinator/group-items.ts'
import type { Transactions } from '../coordinator/transactions/transactions.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { addGroupToTxnApi } from '../protocol/internal/txn-group.ts'
import type { HandlerOf } from './handler.ts'

export function addGroupToTxn(transactions: Transactions): HandlerOf<typeof addGroupToTxnApi> {
  return {
    api: addGroupToTxnApi,

    async handle({ transactionalId, producerId, producerEpoch, groupId, verifyOnly }) {
      if (!canBeStored(groupId)) return { errorCode: ErrorCode.INVALID_GROUP_ID }
      const what = { producerId, producerEpoch, partitions: [], groups: [groupId] }
      const { answer, coordinatorEpoch } = await transactions.executeAs<readonly ErrorCode[]>(transactionalId, verifyOnly
        ? { kind: 'verify', ...what } : { kind: 'add', ...what, version: 2 })
      // Without partitions there is nothing in a list of codes but that the group is part of it.
      return { errorCode: typeof answer === 'number' ? answer : ErrorCode.NONE, coordinatorEpoch }
    },

    refuse: (_request, errorCode) => ({ errorCode }),
  }
}
