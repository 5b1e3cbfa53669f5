// Produce, v3-v13: appends record batches, one per partition.
//
// Each partition succeeds or fails alone; the response lists them in request order.
// acks=0 gets no response at all, not even for an error: the connection is closed instead, as Kafka does.
// acks=1 and acks=all are answered when the batch is durable here (`durability`); acks=all also waits for the in-sync
// replicas. Batches pass through as they came: they are checked by header and checksum and never opened, unless the
// topic is compacted. Transactional ones may have to wait until their transaction's coordinator knows of them
// (transactional-produce.ts).
//   v9  flexible    v10 the new leader beside NOT_LEADER_OR_FOLLOWER (KIP-951)    v13 topic ids (KIP-516)
//   v11 TRANSACTION_ABORTABLE, v12 no AddPartitionsToTxn before (KIP-890)
// Not supported: message formats before v2 (KIP-724).

import { topicNamed } from '../cluster/image.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { produceApi, type ProduceRequest, type ProduceResponse } from '../protocol/messages/produce.ts'
import { MalformedMessage } from '../protocol/reader.ts'
import { batchesIn, batchHeaderBytes, RecordBatch } from '../protocol/record-batch.ts'
import type { Partition } from '../replication/partition.ts'
import type { Appended } from '../log/partition-log.ts'
import type { Uuid } from '../runtime/random.ts'
import type { HandlerOf } from './handler.ts'
import { RequestRefused } from './request-refused.ts'
import { type LeaderHint, leaderHint, leaderNodes } from './leader-hints.ts'
import type { PartitionContext } from './partition-context.ts'
import { appendTransactional, type Transactional } from './transactional-produce.ts'
import type { Sent } from './turned-away.ts'

type PartitionAnswer = ProduceResponse['responses'][number]['partitionResponses'][number]

export function produce(context: PartitionContext): HandlerOf<typeof produceApi> {
  return {
    api: produceApi,

    async handle(request, call) {
      const { acks } = request
      if (acks < -1 || acks > 1) return refuseAll(request, ErrorCode.INVALID_REQUIRED_ACKS)
      // Every append is admitted before the first await: their order is the order in which requests arrived.
      const topics = request.topicData.map((topic) => {
        const id = call.version >= 13 ? topic.topicId : topicNamed(context.image, topic.name)?.id
        const unknown = call.version >= 13 ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        const { transactionalId, timeoutMs } = request
        const target: Target = {
          name: `${topic.name}${topic.topicId}`, id, unknown, acks, timeoutMs, transactionalId, version: call.version,
        }
        const appends = topic.partitionData.map(async (data) => append(context, target, data))
        return { name: topic.name, topicId: topic.topicId, appends }
      })
      // All of them, whatever one fails with: the frame that holds the records is used again once this has an answer.
      await Promise.allSettled(topics.flatMap(({ appends }) => appends))
      const responses = []
      for (const { name, topicId, appends } of topics) {
        const partitionResponses: PartitionAnswer[] = []
        for (const pending of appends) partitionResponses.push(await pending)
        responses.push({ name, topicId, partitionResponses })
      }
      if (acks !== 0) {
        const hints = hintsIn(responses)
        if (hints.length > 0) await context.othersKnow()
        return { responses, nodeEndpoints: leaderNodes(context.image, hints) }
      }
      const failed = responses.flatMap(({ partitionResponses }) => partitionResponses).find(({ errorCode }) => errorCode !== ErrorCode.NONE)
      if (failed !== undefined) throw new RequestRefused(`a produce request with acks=0 failed with code ${failed.errorCode}`)
      return undefined
    },

    refuse: refuseAll,
  }
}

interface Target extends Transactional {
  /** As it was asked for: by name or by id. */
  readonly name: string
  readonly id: Uuid | undefined
  /** What is answered where the topic does not exist. */
  readonly unknown: number
}

type PartitionData = ProduceRequest['topicData'][number]['partitionData'][number]

function append(context: PartitionContext, target: Target, data: PartitionData): PartitionAnswer | Promise<PartitionAnswer> {
  const { index } = data
  const records = data.records ?? noRecords
  const found = target.id === undefined ? target.unknown : context.partitions.leader(target.id, index)
  if (typeof found === 'number') {
    turnAway(context, target, { index, records })
    return target.id !== undefined && found === ErrorCode.NOT_LEADER_OR_FOLLOWER
      ? { ...refused(index, found), currentLeader: leaderHint(context.image, target.id, index) }
      : refused(index, found === ErrorCode.UNKNOWN_TOPIC_ID ? target.unknown : found)
  }
  if (isBehindRefused(context, target, { index, records, log: found.log })) return refused(index, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  const batch = isTransactional(records) ? sentIn(records) : undefined
  const pending = batch === undefined
    ? found.append(records, target) : appendTransactional(context, found, { records, batch, of: target })
  return answer({ context, index, partition: found, target, records }, pending)
}

interface Arrived {
  readonly index: number
  readonly records: Buffer
}

function turnAway({ turnedAway }: PartitionContext, { name }: Target, { index, records }: Arrived): void {
  const sent = sentIn(records)
  if (sent !== undefined) turnedAway.remember(`${name}/${index}`, sent)
}

/** Whether the producer's first batch was refused a moment ago, and this is one that was sent behind it (turned-away.ts). */
function isBehindRefused(
  { turnedAway }: PartitionContext, { name }: Target, { index, records, log }: Arrived & { readonly log: Partition['log'] },
): boolean {
  if (turnedAway.size === 0) return false
  const sent = sentIn(records)
  return sent !== undefined && turnedAway.isBehind(`${name}/${index}`, sent) && !log.admitted.knows(sent.producerId)
}

/** Whose the first batch is; undefined where there is none, or nobody's: nothing of it was checked yet. */
function sentIn(records: Buffer): Sent | undefined {
  try {
    for (const { producerId, producerEpoch, baseSequence } of batchesIn(records)) return { producerId, producerEpoch, baseSequence }
  } catch (cause) {
    if (!(cause instanceof MalformedMessage)) throw cause
  }
  return undefined
}

function isTransactional(records: Buffer): boolean {
  return records.length >= batchHeaderBytes && new RecordBatch(records).isTransactional
}

const noRecords = Buffer.alloc(0)

/** Refusals after which a producer sends the same batch once more. */
const comesAgain: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.CONCURRENT_TRANSACTIONS,
])

interface Appending {
  readonly context: PartitionContext
  readonly index: number
  readonly partition: Partition
  readonly target: Target
  readonly records: Buffer
}

async function answer({ context, index, partition, target, records }: Appending, pending: Promise<Appended>): Promise<PartitionAnswer> {
  const appended = await pending
  if (comesAgain.has(appended.errorCode)) turnAway(context, target, { index, records })
  if (appended.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) {
    return { ...refused(index, appended.errorCode), currentLeader: leaderHint(context.image, partition.topicId, index) }
  }
  if (appended.errorCode !== ErrorCode.NONE) {
    const { errorCode, errorMessage = null, recordIndexes = [] } = appended
    const recordErrors = recordIndexes.map((batchIndex) => ({ batchIndex, batchIndexErrorMessage: errorMessage }))
    return { ...refused(index, errorCode), errorMessage, recordErrors, logStartOffset: partition.logStartOffset }
  }
  return {
    index, errorCode: ErrorCode.NONE, baseOffset: appended.baseOffset, logAppendTimeMs: appended.logAppendTime,
    logStartOffset: partition.logStartOffset, recordErrors: [], errorMessage: null,
  }
}

function refused(index: number, errorCode: number): PartitionAnswer {
  return { index, errorCode, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, recordErrors: [], errorMessage: null }
}

function refuseAll(request: ProduceRequest, code: number): ProduceResponse {
  return {
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name, topicId, partitionResponses: partitionData.map(({ index }) => refused(index, code)),
    })),
  }
}

function hintsIn(responses: readonly { readonly partitionResponses: readonly PartitionAnswer[] }[]): LeaderHint[] {
  const hints: LeaderHint[] = []
  for (const { partitionResponses } of responses) {
    for (const { currentLeader } of partitionResponses) {
      if (currentLeader?.leaderId !== undefined) {
        hints.push({ leaderId: currentLeader.leaderId, leaderEpoch: currentLeader.leaderEpoch ?? -1 })
      }
    }
  }
  return hints
}
