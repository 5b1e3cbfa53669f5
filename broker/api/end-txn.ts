// EndTxn, v0-v5: commits or aborts a transaction (KIP-98). Answered once that is durable, whereupon nothing can change it any
// more; until partitions and groups have been told, the next one gets CONCURRENT_TRANSACTIONS. May be repeated at any time.
//
//   v2  PRODUCER_FENCED (KIP-588); before, INVALID_PRODUCER_EPOCH     v5  each transaction has an epoch of its own (KIP-890)

import type { Producer } from '../coordinator/transactions/transaction.ts'
import type { Transactions } from '../coordinator/transactions/transactions.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { endTxnApi } from '../protocol/messages/end-txn.ts'
import type { HandlerOf } from './handler.ts'

export function endTxn(transactions: Transactions): HandlerOf<typeof endTxnApi> {
  return {
    api: endTxnApi,

    async handle({ transactionalId, producerId, producerEpoch, committed: isCommit }, { version }) {
      const answer = await transactions.execute<Producer>(transactionalId, {
        kind: 'end', producerId, producerEpoch, isCommit, version: version >= 5 ? 2 : 0,
      })
      if (typeof answer !== 'number') return { errorCode: ErrorCode.NONE, ...answer }
      return { errorCode: version < 2 && answer === ErrorCode.PRODUCER_FENCED ? ErrorCode.INVALID_PRODUCER_EPOCH : answer }
    },

    refuse: (_request, errorCode) => ({ errorCode }),
  }
}
