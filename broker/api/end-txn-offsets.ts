// EndTxnOffsets (ours alone): a transaction's coordinator says how it has ended, and what waits for that in a group becomes
// its committed offsets, or is dropped. Answered once it is in the table. It may come again: then there is nothing left to do.

import type { Groups } from '../coordinator/groups.ts'
import { endTxnOffsetsApi } from '../protocol/internal/txn-group.ts'
import type { HandlerOf } from './handler.ts'

export function endTxnOffsets(groups: Groups): HandlerOf<typeof endTxnOffsetsApi> {
  return {
    api: endTxnOffsetsApi,

    async handle({ groupId, committed: isCommit, ...end }) {
      return { errorCode: await groups.endTransaction(groupId, { ...end, isCommit }) }
    },

    refuse: (_request, errorCode) => ({ errorCode }),
  }
}
