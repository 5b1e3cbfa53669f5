// AddOffsetsToTxn, v0-v4: the offsets that a group commits become part of a transaction (KIP-98). Clients of transaction version 2
// leave this out, and the group's coordinator asks instead (add-group-to-txn.ts).
//
//   v2  PRODUCER_FENCED (KIP-588); before, INVALID_PRODUCER_EPOCH

import { canBeStored } from '../coordinator/group-items.ts'
import type { Transactions } from '../coordinator/transactions/transactions.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { addOffsetsToTxnApi } from '../protocol/messages/add-offsets-to-txn.ts'
import type { HandlerOf } from './handler.ts'

export function addOffsetsToTxn(transactions: Transactions): HandlerOf<typeof addOffsetsToTxnApi> {
  return {
    api: addOffsetsToTxnApi,

    async handle({ transactionalId, producerId, producerEpoch, groupId }, { version }) {
      if (!canBeStored(groupId)) return { errorCode: ErrorCode.INVALID_GROUP_ID }
      const errorCode = await transactions.execute<ErrorCode>(transactionalId, {
        kind: 'add', producerId, producerEpoch, partitions: [], groups: [groupId], version: 0,
      })
      return { errorCode: version < 2 && errorCode === ErrorCode.PRODUCER_FENCED ? ErrorCode.INVALID_PRODUCER_EPOCH : errorCode }
    },

    refuse: (_request, errorCode) => ({ errorCode }),
  }
}
