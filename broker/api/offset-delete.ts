// OffsetDelete, v0 (KIP-496): a group forgets what it committed for topics that nobody in it consumes any more.

import type { Groups } from '../coordinator/groups.ts'
import type { DeleteOffsetsAnswer } from '../coordinator/offsets/delete.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { offsetDeleteApi, type OffsetDeleteResponse } from '../protocol/messages/offset-delete.ts'
import type { HandlerOf } from './handler.ts'

export function offsetDelete(groups: Groups): HandlerOf<typeof offsetDeleteApi> {
  return {
    api: offsetDeleteApi,

    async handle({ groupId, topics: asked }) {
      if (groupId === '') return refused(ErrorCode.INVALID_GROUP_ID)
      const topics = asked.map(({ name, partitions }) => ({
        name, partitions: partitions.map(({ partitionIndex }) => partitionIndex), known: groups.topics.byName(name),
      }))
      const known = topics.flatMap(({ name, partitions, known }) => known === undefined ? [] : [{ name, partitions, topicId: known.id }])
      const answer = await groups.execute<DeleteOffsetsAnswer>(groupId, { kind: 'deleteOffsets', topics: known })
      if (typeof answer === 'number') return refused(answer)
      const codes = [...answer]
      return {
        errorCode: ErrorCode.NONE,
        topics: topics.map(({ name, partitions, known }) => {
          const errorCode = known === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : codes.shift()!
          return { name, partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode })) }
        }),
      }
    },

    refuse: (_request, code) => refused(code),
  }
}

function refused(errorCode: number): OffsetDeleteResponse {
  return { errorCode, topics: [] }
}
