// Metadata, v0-v13: brokers, topics, leaders. The first thing that every client asks.
//
// A topic that is asked for by name and does not exist is made, where the client and `auto.create.topics.enable` allow
// it; other than Kafka's, our answer waits until it is made, so the client need not ask again.
//   v1  racks, controller, null for all topics     v4  the client may forbid automatic creation
//   v7  leader epochs (KIP-320)                    v8  authorised operations (KIP-430; v11 moves those of the cluster out)
//   v10 topic ids, v12 asking by them (KIP-516)    v13 an error for the whole answer (KIP-1102)

import type { TopicImage } from '../cluster/image.ts'
import { isAlive, topicNamed } from '../cluster/image.ts'
import { problemWithName } from '../cluster/topic-changes.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { metadataApi, type MetadataRequest, type MetadataResponse } from '../protocol/messages/metadata.ts'
import { zeroUuid } from '../runtime/random.ts'
import { allClusterOperations, allTopicOperations, notAsked } from './authorized-operations.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

type TopicAnswer = MetadataResponse['topics'][number]
type Asked = NonNullable<MetadataRequest['topics']>[number]

export function metadata(context: ClusterContext): HandlerOf<typeof metadataApi> {
  return {
    api: metadataApi,

    async handle(request, call) {
      await context.roster.settled()
      const asked = request.topics
      const isForAll = asked === null || (call.version === 0 && asked.length === 0)
      if (!isForAll) await createMissing(context, request, asked)
      const operations = request.includeTopicAuthorizedOperations ? allTopicOperations : notAsked
      const topics = isForAll
        ? [...context.image.topics.values()].map((topic) => describe(context, topic, operations))
        : asked.map((one) => answer(context, one, operations))
      return response(context, topics, request)
    },

    refuse: (request, code) => {
      const topics = (request.topics ?? []).map((one) => refused(one, code))
      return { ...response(context, topics, request), errorCode: code }
    },
  }
}

function response(context: ClusterContext, topics: readonly TopicAnswer[], request: MetadataRequest): MetadataResponse {
  return {
    brokers: context.roster.brokers(context.image).map((broker) => ({
      nodeId: broker.brokerId, host: broker.host, port: broker.port, rack: broker.rack,
    })),
    clusterId: context.clusterId,
    controllerId: context.brokerId,
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? allClusterOperations : notAsked,
    errorCode: ErrorCode.NONE,
  }
}

async function createMissing(context: ClusterContext, request: MetadataRequest, asked: readonly Asked[]): Promise<void> {
  if (!request.allowAutoTopicCreation || !context.config.flag('auto.create.topics.enable')) return
  const missing = new Set<string>()
  for (const { name, topicId } of asked) {
    if (name === null || topicId !== zeroUuid || problemWithName(name) !== undefined) continue
    if (!context.image.topicIds.has(name)) missing.add(name)
  }
  if (missing.size === 0) return
  const topics = [...missing].map((name) => ({
    name, partitions: -1, replicationFactor: -1, assignments: new Map(), configs: new Map(),
  }))
  await context.topicAdmin.create(topics, { validateOnly: false })
}

function answer(context: ClusterContext, asked: Asked, operations: number): TopicAnswer {
  const { name, topicId } = asked
  if (topicId !== zeroUuid) {
    const topic = context.image.topics.get(topicId)
    return topic === undefined ? refused(asked, ErrorCode.UNKNOWN_TOPIC_ID) : describe(context, topic, operations)
  }
  if (name === null || problemWithName(name) !== undefined) return refused(asked, ErrorCode.INVALID_TOPIC_EXCEPTION)
  const topic = topicNamed(context.image, name)
  return topic === undefined ? refused(asked, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) : describe(context, topic, operations)
}

function refused(asked: Asked, errorCode: number): TopicAnswer {
  return {
    errorCode, name: asked.name, topicId: asked.topicId, isInternal: false, partitions: [],
    topicAuthorizedOperations: notAsked,
  }
}

function describe(context: ClusterContext, topic: TopicImage, operations: number): TopicAnswer {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: false,
    topicAuthorizedOperations: operations,
    partitions: topic.partitions.map((partition) => ({
      errorCode: partition.leader < 0 ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
      partitionIndex: partition.partition,
      leaderId: partition.leader,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      offlineReplicas: partition.replicas.filter((id) => !isAlive(context.image, id)),
    })),
  }
}

