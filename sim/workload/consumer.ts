// A consumer of one partition that writes down every fetch. It begins at the earliest offset; one that rereads goes
// back there each time it has come to the end, under a new name, which brings it into the tier.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { batchesIn, type RecordBatch } from '../../broker/protocol/record-batch.ts'
import { sightingsIn, withoutAborted } from '../check/batches.ts'
import type { Place, Sighting } from '../check/history.ts'
import { Actor } from './actor.ts'
import type { Client } from './client.ts'
import { askForEnd } from './lister.ts'

export interface ConsumerOptions {
  readonly place: Place
  readonly topic: string
  readonly rereads: boolean
  readonly thinkMs: number
  readonly isCommittedOnly?: boolean
}

export interface Answer {
  readonly error: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: readonly Sighting[]
  readonly batches: readonly RecordBatch[]
  /** Where to go on. */
  readonly next: number
  /** Up to where there is nothing that may still be aborted. */
  readonly lastStable: number
}

export interface Asked {
  readonly offset: number
  readonly bytesMax: number
  readonly waitMs: number
  /** Without what is aborted, and up to where nothing is open. */
  readonly isCommittedOnly?: boolean
  /** A follower, which serves those that say where they are (KIP-392); the leader where not given. */
  readonly follower?: string
}

/** One fetch without a session; `NoAnswer` where there was none. */
export async function fetchOnce(client: Client, place: Place, of: Asked): Promise<Answer> {
  const wire = of.follower === undefined ? await client.leaderOf(place) : await client.wireTo(of.follower)
  const { responses: [topic] } = await wire.call(fetchApi, {
    maxWaitMs: of.waitMs, minBytes: 1, maxBytes: of.bytesMax, isolationLevel: of.isCommittedOnly === true ? 1 : 0, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [],
    rackId: of.follower === undefined ? '' : 'anywhere',
    topics: [{ topic: '', topicId: place.topicId, partitions: [{
      partition: place.partition, currentLeaderEpoch: of.follower === undefined ? client.epochOf(place) : -1, fetchOffset: of.offset, partitionMaxBytes: of.bytesMax,
    }] }],
  })
  const found = topic?.partitions[0]
  if (found === undefined) {
    return { error: ErrorCode.UNKNOWN_SERVER_ERROR, highWatermark: -1, logStartOffset: -1, records: [], batches: [], next: of.offset, lastStable: -1 }
  }
  const batches = [...batchesIn(found.records ?? Buffer.alloc(0))]
  const { errorCode: error, highWatermark, logStartOffset, lastStableOffset: lastStable } = found
  const shown = of.isCommittedOnly === true ? withoutAborted(batches, found.abortedTransactions ?? []) : batches
  const records = shown.flatMap(sightingsIn).filter(({ offset }) => offset >= of.offset)
  return { error, highWatermark, logStartOffset, records, batches, lastStable, next: Math.max(of.offset, batches.at(-1)?.endOffset ?? 0) }
}

export class Consumer extends Actor {
  readonly #options: ConsumerOptions
  /** Where it stands; undefined: it has to ask. */
  offset: number | undefined
  #round = 0

  constructor(client: Client, options: ConsumerOptions) {
    super(client)
    this.#options = options
  }

  protected async run(): Promise<void> {
    while (!this.isStopping && !this.isRetired) {
      const isGood = this.offset === undefined ? await this.#begin() : await this.#fetch(this.offset)
      if (!isGood) this.client.hangUp()
      await this.client.think(isGood ? this.#options.thinkMs : 200)
    }
  }

  async #begin(): Promise<boolean> {
    const { place, topic } = this.#options
    const { answer } = await this.client.attempt(() => askForEnd(this.client, { ...place, topic, which: 'earliest' }))
    if (answer?.error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) this.#retireIfDeleted()
    if (answer?.error !== ErrorCode.NONE) return false
    this.offset = answer.offset
    this.#round++
    return true
  }

  async #fetch(fetchOffset: number): Promise<boolean> {
    const { place, rereads, isCommittedOnly = false } = this.#options
    const bytesMax = this.client.dice.pick([512, 4_096, 65_536])
    const asked = { offset: fetchOffset, bytesMax, waitMs: 200, isCommittedOnly }
    const { invokedAt, endedAt, answer } = await this.client.attempt(() => fetchOnce(this.client, place, asked))
    if (answer === undefined) return false
    const { error, highWatermark, logStartOffset, records, lastStable } = answer
    this.client.history.polls.push({
      consumer: `${this.name}.${this.#round}`, ...place, invokedAt, endedAt, fetchOffset, error, highWatermark, logStartOffset, records,
      ...(isCommittedOnly ? { lastStable } : {}),
    })
    if (error === ErrorCode.OFFSET_OUT_OF_RANGE) this.offset = undefined
    if (error === ErrorCode.UNKNOWN_TOPIC_ID || error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) this.#retireIfDeleted()
    if (error !== ErrorCode.NONE) return error === ErrorCode.OFFSET_OUT_OF_RANGE
    this.done++
    this.offset = answer.next
    if (rereads && this.offset >= (isCommittedOnly ? lastStable : highWatermark)) this.offset = undefined
    return true
  }

  #retireIfDeleted(): void {
    const topic = this.client.history.topics.find(({ topicId }) => topicId === this.#options.place.topicId)
    if (topic?.deletedAt !== undefined) this.isRetired = true
  }
}
