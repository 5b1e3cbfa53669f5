// DeleteTopics, v1-v6: by name, and since v6 by id (KIP-516). The records are gone from this broker at once, from the
// object store a while later (functions/sweep).

import { type Image, topicNamed } from '../cluster/image.ts'
import type { TopicOutcome } from '../cluster/topic-admin.ts'
import { refusal } from '../cluster/topic-changes.ts'
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
      const topics = asked(request, call.version)
      const outcomes = await context.topicAdmin.delete(topics.map((one) => (image) => find(image, one)))
      return {
        responses: outcomes.map((outcome, index) => {
          if ('code' in outcome) return { ...topics[index]!, errorCode: outcome.code, errorMessage: outcome.message }
          return { name: outcome.topic.name, topicId: outcome.topic.id, errorCode: ErrorCode.NONE, errorMessage: null }
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

function find(image: Image, { name, topicId }: Asked): TopicOutcome {
  if (name !== null && topicId !== zeroUuid) {
    return refusal(ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
  }
  const topic = name === null ? image.topics.get(topicId) : topicNamed(image, name)
  if (topic !== undefined) return { topic }
  if (name !== null) return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'This server does not host this topic-partition.')
  return refusal(ErrorCode.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.')
}
