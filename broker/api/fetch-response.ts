import { ErrorCode } from '../protocol/error-code.ts'
import type { FetchResponse } from '../protocol/messages/fetch.ts'
import { zeroUuid } from '../runtime/random.ts'
import type { FetchResult } from './fetch-round.ts'
import { type OpenedFetch, targetKey } from './fetch-session.ts'
import { leaderHint, leaderNodes } from './leader-hints.ts'
import type { PartitionContext } from './partition-context.ts'

type TopicAnswer = FetchResponse['responses'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

/** The response for what was read: within a session only what the client does not know yet. */
export function respond(context: PartitionContext, opened: OpenedFetch, results: readonly FetchResult[]): FetchResponse {
  const { session, isIncremental } = opened
  const shown = isIncremental ? results.filter(isNews) : results
  for (const result of shown) remember(result, opened)
  const topics = new Map<string, TopicAnswer & { partitions: PartitionAnswer[] }>()
  const hints = []
  for (const result of shown) {
    const { target } = result
    const key = target.topicId === zeroUuid ? target.topic : target.topicId
    let topic = topics.get(key)
    if (topic === undefined) topics.set(key, (topic = { topic: target.topic, topicId: target.topicId, partitions: [] }))
    const answer = describe(context, result)
    if (answer.currentLeader !== undefined) hints.push({ leaderId: answer.currentLeader.leaderId!, leaderEpoch: -1 })
    topic.partitions.push(answer)
  }
  return {
    errorCode: ErrorCode.NONE, sessionId: session?.id ?? 0, responses: [...topics.values()],
    nodeEndpoints: hints.length > 0 ? leaderNodes(context.image, hints) : [],
  }
}

function isNews({ target, read, preferredReplica }: FetchResult): boolean {
  return read.bytes > 0 || preferredReplica !== undefined || read.errorCode !== ErrorCode.NONE || target.hadError ||
    read.divergingEpoch !== undefined || read.highWatermark !== target.toldHighWatermark ||
    read.logStartOffset !== target.toldLogStartOffset
}

function remember({ target, read }: FetchResult, { session }: OpenedFetch): void {
  target.toldHighWatermark = read.highWatermark
  target.toldLogStartOffset = read.logStartOffset
  target.hadError = read.errorCode !== ErrorCode.NONE
  if (session === undefined || read.bytes === 0) return
  // To the end of the order, so that a partition with much to read does not keep the others from their share.
  const key = targetKey(session.usesTopicIds ? target.topicId : target.topic, target.partition)
  if (session.targets.delete(key)) session.targets.set(key, target)
}

function describe(context: PartitionContext, { target, topicId, read, preferredReplica = -1 }: FetchResult): PartitionAnswer {
  const isLedElsewhere = read.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || read.errorCode === ErrorCode.FENCED_LEADER_EPOCH
  return {
    partitionIndex: target.partition,
    errorCode: read.errorCode,
    highWatermark: read.highWatermark,
    lastStableOffset: read.lastStableOffset,
    logStartOffset: read.logStartOffset,
    divergingEpoch: read.divergingEpoch,
    currentLeader: isLedElsewhere && topicId !== undefined ? leaderHint(context.image, topicId, target.partition) : undefined,
    abortedTransactions: read.aborted,
    preferredReadReplica: preferredReplica,
    records: read.buffers,
  }
}
