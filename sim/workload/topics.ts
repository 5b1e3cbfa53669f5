import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { deleteTopicsApi } from '../../broker/protocol/messages/delete-topics.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import type { TopicLife } from '../check/history.ts'
import type { Client } from './client.ts'

export interface WantedTopic {
  readonly name: string
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

/** Makes a topic, however often it takes. A try whose answer was lost may have made it: then it is found by its name. */
export async function makeTopic(client: Client, wanted: WantedTopic): Promise<TopicLife> {
  const configs = Object.entries(wanted.configs).map(([name, value]) => ({ name, value }))
  for (;;) {
    const { answer } = await client.attempt(async () => (await client.anyone()).call(createTopicsApi, {
      topics: [{ name: wanted.name, numPartitions: wanted.partitions, replicationFactor: -1, assignments: [], configs }], timeoutMs: 5_000,
    }))
    const made = answer?.topics[0]
    const topicId = made?.errorCode === ErrorCode.NONE ? made.topicId
      : made?.errorCode === ErrorCode.TOPIC_ALREADY_EXISTS ? await idOf(client, wanted.name) : undefined
    if (topicId !== undefined) {
      const retentionMs = Number(wanted.configs['retention.ms'])
      const life: TopicLife = {
        topicId, name: wanted.name, partitions: wanted.partitions, retentionMs: retentionMs < 0 ? Infinity : retentionMs, deletedAt: undefined,
        ...(wanted.configs['cleanup.policy'] === 'compact' ? { deleteRetentionMs: Number(wanted.configs['delete.retention.ms']) } : {}),
      }
      client.history.topics.push(life)
      return life
    }
    if (made?.errorCode === ErrorCode.INVALID_CONFIG) throw new Error(`${wanted.name}: ${made.errorMessage}`)
    client.hangUp()
    await client.think(300)
  }
}

async function idOf(client: Client, name: string): Promise<string | undefined> {
  const { answer } = await client.attempt(async () => (await client.anyone()).call(metadataApi, {
    topics: [{ name }], allowAutoTopicCreation: false, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
  }))
  const topic = answer?.topics[0]
  return topic?.errorCode === ErrorCode.NONE ? topic.topicId : undefined
}

/** Deletes a topic, however often it takes. */
export async function deleteTopic(client: Client, life: TopicLife): Promise<void> {
  life.deletedAt = client.now
  for (;;) {
    const { answer } = await client.attempt(async () => (await client.anyone()).call(deleteTopicsApi, {
      topics: [{ name: null, topicId: life.topicId }], topicNames: [], timeoutMs: 5_000,
    }))
    const error = answer?.responses[0]?.errorCode
    if (error === ErrorCode.NONE || error === ErrorCode.UNKNOWN_TOPIC_ID) return
    client.hangUp()
    await client.think(300)
  }
}
