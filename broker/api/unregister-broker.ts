// UnregisterBroker, v0: forgets a broker that does not come back.
//
// Only one that has stopped and has no replicas any more; others are refused with POLICY_VIOLATION, where Kafka takes any
// (cluster/removal.ts says why). To get there, reassign what it has and stop it.

import { planRemoval } from '../cluster/removal.ts'
import type { Refusal } from '../cluster/topic-changes.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { unregisterBrokerApi } from '../protocol/messages/unregister-broker.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

export function unregisterBroker(context: ClusterContext): HandlerOf<typeof unregisterBrokerApi> {
  return {
    api: unregisterBrokerApi,

    async handle({ brokerId }) {
      await context.metadata.refresh()
      const refused = await context.metadata.change<Refusal | undefined>((image) => {
        const plan = planRemoval(image, brokerId)
        return 'code' in plan ? { records: [], answer: plan } : { records: [plan], answer: undefined }
      })
      return { errorCode: refused?.code ?? ErrorCode.NONE, errorMessage: refused?.message ?? null }
    },

    refuse: (_request, code) => ({ errorCode: code, errorMessage: null }),
  }
}
