// InitProducerId, v0-v5: an id for an idempotent producer (KIP-98). The broker hands out each id once in the life of a
// cluster; with an id that it names (v3, KIP-360) a producer asks for the next epoch after an error.
//
// Not served yet: transactional ids. They are refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED, the one refusal that
// clients do not repeat for ever.

import type { ProducerIds } from '../cluster/producer-ids.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { initProducerIdApi, type InitProducerIdResponse } from '../protocol/messages/init-producer-id.ts'
import { TableError } from '../table/table.ts'
import type { HandlerOf } from './handler.ts'

export function initProducerId(producerIds: ProducerIds): HandlerOf<typeof initProducerIdApi> {
  return {
    api: initProducerIdApi,

    async handle(request) {
      if (request.transactionalId === '') return refused(ErrorCode.INVALID_REQUEST)
      if (request.transactionalId !== null) return refused(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
      try {
        // As Kafka does for a producer without a transactional id: whatever it had, it gets a new id at epoch 0.
        return { errorCode: ErrorCode.NONE, producerId: await producerIds.next(), producerEpoch: 0 }
      } catch (cause) {
        if (cause instanceof TableError) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        throw cause
      }
    },

    refuse: (_request, code) => refused(code),
  }
}

function refused(errorCode: number): InitProducerIdResponse {
  return { errorCode, producerId: -1, producerEpoch: -1 }
}
