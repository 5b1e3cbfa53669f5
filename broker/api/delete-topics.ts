// DeleteTopics, v1-v6: by name, and since v6 by id (KIP-516). The records are gone from this broker at once, from the
// object store a while later (functions/sweep).

import { topicNamed } from '../cluster/image.ts'
import { refusal, type Refusal } from '../cluster/topic-changes.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { deleteTopicsApi, type DeleteTopicsRequest } from '../protocol/messages/delete-topics.ts'
import { type Uuid, zeroUuid } from '../runtime/random.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

interface Asked {
  readonly name: string | null
  readonly topicId: Uuid
}

export function deleteTopics(context: ClusterContext): HandlerOf<typeof deleteTopicsApi> {
  return {
    api: deleteTopicsApi,

    async handle(request, call) {
      const found = asked(request, call.version).map((one) => find(context, one))
      const ids = found.flatMap((one) => ('code' in one ? [] : [one.topicId]))
      const refusals = await context.topicAdmin.delete(ids)
      const refusalOf = new Map(ids.map((id, index) => [id, refusals[index]]))
      return {
        responses: found.map((one) => {
          const refused = 'code' in one ? one : refusalOf.get(one.topicId)
          return {
            name: one.name, topicId: one.topicId,
            errorCode: refused?.code ?? ErrorCode.NONE, errorMessage: refused?.message ?? null,
          }
        }),
      }
    },

    refuse: (request, code) => ({
      responses: [...request.topics, ...request.topicNames.map((name) => ({ name, topicId: zeroUuid }))]
        .map(({ name, topicId }) => ({ name, topicId, errorCode: code })),
    }),
  }
}

function asked(request: DeleteTopicsRequest, version: number): readonly Asked[] {
  return version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: zeroUuid }))
}

function find(context: ClusterContext, one: Asked): Asked | (Asked & Refusal) {
  if (one.name !== null && one.topicId !== zeroUuid) {
    return { ...one, ...refusal(ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.') }
  }
  if (one.name !== null) {
    const topic = topicNamed(context.image, one.name)
    if (topic !== undefined) return { name: one.name, topicId: topic.id }
    return { ...one, ...refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'This server does not host this topic-partition.') }
  }
  const topic = context.image.topics.get(one.topicId)
  if (topic !== undefined) return { name: topic.name, topicId: topic.id }
  return { ...one, ...refusal(ErrorCode.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.') }
}
