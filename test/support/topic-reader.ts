import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { listOffsetsApi } from '../../broker/protocol/messages/list-offsets.ts'
import { batchesIn, type RecordBatch } from '../../broker/protocol/record-batch.ts'
import type { WireClient } from './wire-client.ts'

/** An answer with an error code, from a helper that does not retry. */
export class ErrorAnswer extends Error {
  readonly code: number
  constructor(what: string, code: number) {
    super(`${what}: error ${code}`)
    this.name = 'ErrorAnswer'
    this.code = code
  }
}

/** Makes a topic and returns its id. */
export async function createTopic(
  client: WireClient,
  topic: { readonly name: string; readonly partitions: number; readonly configs?: Readonly<Record<string, string>> },
): Promise<string> {
  const {
    topics: [made],
  } = await client.call(createTopicsApi, {
    topics: [
      {
        name: topic.name,
        numPartitions: topic.partitions,
        replicationFactor: -1,
        assignments: [],
        configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
      },
    ],
    timeoutMs: 30_000,
  })
  if (made!.errorCode !== ErrorCode.NONE) throw new ErrorAnswer(`topic ${topic.name}: ${made!.errorMessage}`, made!.errorCode)
  await sleep(100)
  return made!.topicId
}

export interface FetchOptions {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly maxWaitMs?: number
  readonly bytesMax?: number
}

export interface Fetched {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: Buffer
}

/** One fetch of one partition, without a session. */
export async function fetchOnce(client: WireClient, options: FetchOptions): Promise<Fetched> {
  const { topicId, partition, offset, maxWaitMs = 500, bytesMax = 4 << 20 } = options
  const response = await client.call(fetchApi, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: bytesMax,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    forgottenTopicsData: [],
    rackId: '',
    topics: [{ topic: '', topicId, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: bytesMax }] }],
  })
  const of = response.responses[0]?.partitions[0]
  if (response.errorCode !== ErrorCode.NONE || of === undefined) throw new ErrorAnswer('fetch', response.errorCode)
  return {
    errorCode: of.errorCode,
    highWatermark: of.highWatermark,
    logStartOffset: of.logStartOffset,
    records: of.records ?? Buffer.alloc(0),
  }
}

/** All batches from an offset up to what is committed now. */
export async function* batchesFrom(client: WireClient, options: FetchOptions): AsyncGenerator<RecordBatch> {
  for (let offset = options.offset; ;) {
    const { errorCode, highWatermark, records } = await fetchOnce(client, { ...options, offset })
    if (errorCode !== ErrorCode.NONE) throw new ErrorAnswer(`fetch of ${options.partition} at ${offset}`, errorCode)
    for (const batch of batchesIn(records)) {
      if (batch.endOffset <= offset) continue
      yield batch
      offset = batch.endOffset
    }
    if (offset >= highWatermark) return
  }
}

/** The offset at a time, or at one of Kafka's names for ends: -1 latest, -2 earliest. */
export async function offsetAt(
  client: WireClient,
  at: { readonly topic: string; readonly partition: number; readonly timestamp: number },
): Promise<number> {
  const { topics } = await client.call(listOffsetsApi, {
    replicaId: -1,
    isolationLevel: 0,
    timeoutMs: 30_000,
    topics: [{ name: at.topic, partitions: [{ partitionIndex: at.partition, timestamp: at.timestamp }] }],
  })
  const { errorCode, offset } = topics[0]!.partitions[0]!
  if (errorCode !== ErrorCode.NONE) throw new ErrorAnswer('offset', errorCode)
  return offset
}
