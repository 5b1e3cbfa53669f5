// CreateTopics, v2-v7: each topic succeeds or fails alone, but all that can be are made by one append.
//
// The answer comes once this broker serves the new partitions, so `timeoutMs` is not needed.
//   v4  -1 for the broker's own number of partitions and replicas (KIP-464)
//   v5  the configuration that came of it (KIP-525)      v7  the topic's id (KIP-516)

import type { TopicOutcome } from '../cluster/topic-admin.ts'
import { refusal, type Refusal } from '../cluster/topic-changes.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { createTopicsApi, type CreateTopicsRequest, type CreateTopicsResponse } from '../protocol/messages/create-topics.ts'
import { zeroUuid } from '../runtime/random.ts'
import { describeTopicConfigs } from './config-descriptions.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

type Asked = CreateTopicsRequest['topics'][number]
type TopicAnswer = CreateTopicsResponse['topics'][number]

export function createTopics(context: ClusterContext): HandlerOf<typeof createTopicsApi> {
  return {
    api: createTopicsApi,

    async handle(request) {
      const repeated = repeatedNames(request.topics)
      const refusals = request.topics.map((asked) => refuseBeforehand(asked, repeated))
      const good = request.topics.filter((_, index) => refusals[index] === undefined)
      const outcomes = await context.topicAdmin.create(good.map(newTopic), { validateOnly: request.validateOnly })
      const outcomeOf = new Map(good.map((asked, index) => [asked.name, outcomes[index]!]))
      const answered = new Set<string>()
      const topics: TopicAnswer[] = []
      request.topics.forEach((asked, index) => {
        if (answered.has(asked.name)) return
        answered.add(asked.name)
        topics.push(answer(context, asked, refusals[index] ?? outcomeOf.get(asked.name)!))
      })
      return { topics }
    },

    refuse: (request, code) => ({ topics: request.topics.map((asked) => refused(asked.name, { code, message: '' })) }),
  }
}

function repeatedNames(topics: readonly Asked[]): ReadonlySet<string> {
  const seen = new Set<string>()
  return new Set(topics.map(({ name }) => name).filter((name) => seen.size === seen.add(name).size))
}

function refuseBeforehand(asked: Asked, repeated: ReadonlySet<string>): Refusal | undefined {
  if (repeated.has(asked.name)) return refusal(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
  const unset = asked.configs.find(({ value }) => value === null)
  if (unset !== undefined) return refusal(ErrorCode.INVALID_CONFIG, `Null value not supported for topic configs: ${unset.name}`)
  return undefined
}

function newTopic(asked: Asked) {
  return {
    name: asked.name,
    partitions: asked.numPartitions,
    replicationFactor: asked.replicationFactor,
    assignments: new Map(asked.assignments.map(({ partitionIndex, brokerIds }) => [partitionIndex, brokerIds])),
    configs: new Map(asked.configs.map(({ name, value }) => [name, value ?? ''])),
  }
}

function refused(name: string, { code, message }: Refusal): TopicAnswer {
  return { name, topicId: zeroUuid, errorCode: code, errorMessage: message, configs: [] }
}

function answer(context: ClusterContext, asked: Asked, outcome: TopicOutcome): TopicAnswer {
  if ('code' in outcome) return refused(asked.name, outcome)
  const { topic } = outcome
  const own = new Map(asked.configs.map(({ name, value }) => [name, value ?? '']))
  return {
    name: asked.name,
    topicId: topic.id,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    numPartitions: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicas.length ?? -1,
    configs: describeTopicConfigs(context.config, own).map((config) => ({
      name: config.name, value: config.value, readOnly: config.readOnly, configSource: config.configSource,
      isSensitive: config.isSensitive,
    })),
  }
}
