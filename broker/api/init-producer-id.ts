// InitProducerId, v0-v5: an id for an idempotent producer (KIP-98), or for a transactional one. The broker hands out each id once
// in the life of a cluster. Whoever has a transactional id begins under a new epoch, and fences who had it before; with the id
// that it names (v3, KIP-360) a producer goes on after an error, if nobody else has begun.
//
//   v4  PRODUCER_FENCED (KIP-588); before, INVALID_PRODUCER_EPOCH     v5  for clients of transaction version 2 (KIP-890)

import type { Transactions } from '../coordinator/transactions/transactions.ts'
import type { Producer } from '../coordinator/transactions/transaction.ts'
import type { ProducerIds } from '../cluster/producer-ids.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { initProducerIdApi, type InitProducerIdRequest, type InitProducerIdResponse } from '../protocol/messages/init-producer-id.ts'
import { TableError } from '../table/table.ts'
import type { HandlerOf } from './handler.ts'

export function initProducerId(producerIds: ProducerIds, transactions: Transactions): HandlerOf<typeof initProducerIdApi> {
  return {
    api: initProducerIdApi,

    async handle(request, { version }) {
      const { transactionalId, transactionTimeoutMs: timeoutMs } = request
      const expected = expectedBy(request)
      if (expected === 'half' || transactionalId === '') return refused(ErrorCode.INVALID_REQUEST)
      if (transactionalId === null) return withoutTransactions(producerIds)
      const answer = await transactions.execute<Producer>(transactionalId, { kind: 'init', transactionalId, timeoutMs, expected })
      if (typeof answer !== 'number') return { errorCode: ErrorCode.NONE, ...answer }
      return refused(version < 4 && answer === ErrorCode.PRODUCER_FENCED ? ErrorCode.INVALID_PRODUCER_EPOCH : answer)
    },

    refuse: (_request, code) => refused(code),
  }
}

/** An id without an epoch, or an epoch without an id, names no producer. */
function expectedBy({ producerId, producerEpoch }: InitProducerIdRequest): Producer | undefined | 'half' {
  if (producerId === -1 && producerEpoch === -1) return undefined
  return producerId === -1 || producerEpoch === -1 ? 'half' : { producerId, producerEpoch }
}

/** As Kafka does for a producer without a transactional id: whatever it had, it gets a new id at epoch 0. */
async function withoutTransactions(producerIds: ProducerIds): Promise<InitProducerIdResponse> {
  try {
    return { errorCode: ErrorCode.NONE, producerId: await producerIds.next(), producerEpoch: 0 }
  } catch (cause) {
    if (cause instanceof TableError) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    throw cause
  }
}

function refused(errorCode: number): InitProducerIdResponse {
  return { errorCode, producerId: -1, producerEpoch: -1 }
}
