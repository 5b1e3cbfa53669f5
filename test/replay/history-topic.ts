// A topic with a long history and a short local tail: what was written is known by a hash per batch, so that any part of
// it can be compared with what is read.

import { createHash, randomBytes } from 'node:crypto'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { batchesIn, type RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordBatch } from '../support/record-batches.ts'
import { createTopic, ErrorAnswer, type Fetched, fetchOnce } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'

/** The part of a batch that its producer made: offset and leader epoch before it are the broker's. */
const producedFrom = 21

export interface WrittenBatch {
  readonly baseOffset: number
  readonly timestamp: number
  readonly hash: string
}

export const recordsPerBatch = 64
const valueBytes = 16 << 10

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes.subarray(producedFrom)).digest('base64')
}

export class HistoryTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: number
  /** Per partition, in order of offsets. */
  readonly written: readonly WrittenBatch[][]

  private constructor(name: string, topicId: string, partitions: number) {
    this.name = name
    this.topicId = topicId
    this.partitions = partitions
    this.written = Array.from({ length: partitions }, () => [])
  }

  /** `localBytes` of all partitions together stay on the broker's disk. */
  static async create(
    bootstrap: string,
    options: { name: string; partitions: number; localBytes: number; segmentBytes: number },
  ): Promise<HistoryTopic> {
    const client = await WireClient.connect(bootstrap)
    const { name, partitions, localBytes, segmentBytes } = options
    const configs = {
      'remote.storage.enable': 'true',
      'local.retention.bytes': String(Math.floor(localBytes / partitions)),
      'segment.bytes': String(segmentBytes),
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'max.message.bytes': '4194304',
    }
    const topicId = await createTopic(client, { name, partitions, configs })
    client.close()
    return new HistoryTopic(name, topicId, partitions)
  }

  /** The offset behind the last record. */
  end(partition: number): number {
    return this.written[partition]!.length * recordsPerBatch
  }

  /** Writes batches of 1 MiB, round robin, a few at a time; each is a second younger than the one before. */
  async write(bootstrap: string, bytes: number): Promise<void> {
    const client = await WireClient.connect(bootstrap)
    const noise = randomBytes(valueBytes * 2)
    const under: Promise<void>[] = []
    const start = Date.now() - 86_400_000
    const count = Math.ceil(bytes / (recordsPerBatch * valueBytes))
    const before = this.written.reduce((sum, { length }) => sum + length, 0)
    for (let index = before; index < before + count; index++) {
      under.push(this.#writeOne(client, { index, timestamp: start + index * 1000, noise }))
      if (under.length >= 8) await under.shift()
    }
    await Promise.all(under)
    client.close()
  }

  async #writeOne(
    client: WireClient,
    { index, timestamp, noise }: { index: number; timestamp: number; noise: Buffer },
  ): Promise<void> {
    const partition = index % this.partitions
    const records = Array.from({ length: recordsPerBatch }, (_, number) => {
      const at = (index * 31 + number * 257) % valueBytes
      const value = Buffer.from(noise.subarray(at, at + valueBytes))
      value.writeUInt32BE(index, 0)
      value.writeUInt32BE(number, 4)
      return { value, timestamp }
    })
    const bytes = recordBatch(records)
    const baseOffset = this.end(partition)
    this.written[partition]!.push({ baseOffset, timestamp, hash: hashOf(bytes) })
    const { responses } = await client.call(produceApi, {
      acks: -1,
      timeoutMs: 60_000,
      topicData: [{ topicId: this.topicId, name: '', partitionData: [{ index: partition, records: [bytes] }] }],
    })
    const answer = responses[0]!.partitionResponses[0]!
    if (answer.errorCode !== ErrorCode.NONE) throw new ErrorAnswer('produce', answer.errorCode)
    if (answer.baseOffset !== baseOffset) throw new Error(`written at ${answer.baseOffset}, and ${baseOffset} was due`)
  }

  /** Throws where the batch is not byte for byte what was written there. */
  verify(partition: number, batch: RecordBatch): void {
    const expected = this.written[partition]![batch.baseOffset / recordsPerBatch]
    if (expected?.baseOffset !== batch.baseOffset) throw new Error(`${partition}@${batch.baseOffset}: no batch was written there`)
    if (expected.hash !== hashOf(batch.bytes))
      throw new Error(`${partition}@${batch.baseOffset}: not the bytes that were written`)
  }
}

export interface Replayed {
  /** Of batches. */
  readonly bytes: number
  readonly seconds: number
  /** Answers with an error that a client tries again, and how many of each. */
  readonly retried: ReadonlyMap<number, number>
}

export interface ReplayRange {
  readonly partition: number
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** What a consumer answers by trying again; anything else makes it give up, or start elsewhere. */
const retriable: ReadonlySet<number> = new Set([
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.REQUEST_TIMED_OUT,
])

/** Reads a range and holds every batch against what was written; every batch follows on the one before. */
export async function replay(bootstrap: string, topic: HistoryTopic, range: ReplayRange): Promise<Replayed> {
  const client = await WireClient.connect(bootstrap, 'replay')
  const started = performance.now()
  const retried = new Map<number, number>()
  let [offset, bytes] = [range.start, 0]
  while (offset < range.end) {
    const fetched = await fetchOnce(client, { topicId: topic.topicId, partition: range.partition, offset, bytesMax: 8 << 20 })
    if (fetched.errorCode !== ErrorCode.NONE) {
      assertRetriable(fetched, { partition: range.partition, offset })
      retried.set(fetched.errorCode, (retried.get(fetched.errorCode) ?? 0) + 1)
      continue
    }
    for (const batch of batchesIn(fetched.records)) {
      if (batch.endOffset <= offset) continue
      if (batch.baseOffset > offset) throw new Error(`partition ${range.partition}: ${batch.baseOffset} follows on ${offset}`)
      topic.verify(range.partition, batch)
      offset = batch.endOffset
      bytes += batch.length
    }
  }
  client.close()
  return { bytes, seconds: (performance.now() - started) / 1000, retried }
}

export function assertRetriable({ errorCode }: Fetched, at: { partition: number; offset: number }): void {
  if (!retriable.has(errorCode)) throw new Error(`${at.partition}@${at.offset}: error ${errorCode}, which no client tries again`)
}
