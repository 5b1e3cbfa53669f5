// CreatePartitions, v0-v3 (KIP-195): raises the number of a topic's partitions; it is never lowered.

import { refusal } from '../cluster/topic-changes.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { createPartitionsApi, type CreatePartitionsRequest } from '../protocol/messages/create-partitions.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

export function createPartitions(context: ClusterContext): HandlerOf<typeof createPartitionsApi> {
  return {
    api: createPartitionsApi,

    async handle(request) {
      const single = request.topics.filter(({ name }) => countOf(request, name) === 1)
      const refusals = await context.topicAdmin.addPartitions(single.map(({ name, count, assignments }) => ({
        name, count, assignments: assignments?.map(({ brokerIds }) => brokerIds) ?? null,
      })), { validateOnly: request.validateOnly })
      const refusalOf = new Map(single.map(({ name }, index) => [name, refusals[index]]))
      return {
        results: [...new Set(request.topics.map(({ name }) => name))].map((name) => {
          const refused = countOf(request, name) > 1 ? refusal(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.') : refusalOf.get(name)
          return { name, errorCode: refused?.code ?? ErrorCode.NONE, errorMessage: refused?.message ?? null }
        }),
      }
    },

    refuse: (request, code) => ({ results: request.topics.map(({ name }) => ({ name, errorCode: code })) }),
  }
}

function countOf(request: CreatePartitionsRequest, name: string): number {
  return request.topics.filter((topic) => topic.name === name).length
}
