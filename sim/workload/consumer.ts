// A consumer of one partition that writes down every fetch. It begins at the earliest offset; one that rereads goes
// back there each time it has come to the end, under a new name, which brings it into the tier.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { batchesIn } from '../../broker/protocol/record-batch.ts'
import { recordsIn } from '../../test/support/record-batches.ts'
import type { Place, Sighting } from '../check/history.ts'
import { nameOf } from '../check/values.ts'
import { Actor } from './actor.ts'
import type { Client } from './client.ts'
import { askForEnd } from './lister.ts'

export interface ConsumerOptions {
  readonly place: Place
  readonly topic: string
  readonly rereads: boolean
  readonly thinkMs: number
}

export interface Answer {
  readonly error: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: readonly Sighting[]
  readonly batches: ReturnType<typeof batchesIn> extends Generator<infer Batch> ? readonly Batch[] : never
}

export interface Asked {
  readonly offset: number
  readonly bytesMax: number
  readonly waitMs: number
  /** A follower, which serves those that say where they are (KIP-392); the leader where not given. */
  readonly follower?: string
}

/** One fetch without a session; `NoAnswer` where there was none. */
export async function fetchOnce(client: Client, place: Place, of: Asked): Promise<Answer> {
  const wire = of.follower === undefined ? await client.leaderOf(place) : await client.wireTo(of.follower)
  const { responses: [topic] } = await wire.call(fetchApi, {
    maxWaitMs: of.waitMs, minBytes: 1, maxBytes: of.bytesMax, isolationLevel: 0, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [],
    rackId: of.follower === undefined ? '' : 'anywhere',
    topics: [{ topic: '', topicId: place.topicId, partitions: [{
      partition: place.partition, currentLeaderEpoch: of.follower === undefined ? client.epochOf(place) : -1, fetchOffset: of.offset, partitionMaxBytes: of.bytesMax,
    }] }],
  })
  const found = topic?.partitions[0]
  if (found === undefined) return { error: ErrorCode.UNKNOWN_SERVER_ERROR, highWatermark: -1, logStartOffset: -1, records: [], batches: [] }
  const batches = [...batchesIn(found.records ?? Buffer.alloc(0))]
  const records = batches.flatMap((batch) => recordsOrDamage(batch)).filter(({ offset }) => offset >= of.offset)
  return { error: found.errorCode, highWatermark: found.highWatermark, logStartOffset: found.logStartOffset, records, batches }
}

function recordsOrDamage(batch: Answer['batches'][number]): Sighting[] {
  try {
    return recordsIn(batch).map(({ offset, value }) => ({ offset, value: nameOf(value) }))
  } catch {
    // Empty values are what the checker looks for.
    return [{ offset: batch.baseOffset, value: '' }]
  }
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
    const { place, rereads } = this.#options
    const bytesMax = this.client.dice.pick([512, 4_096, 65_536])
    const { invokedAt, endedAt, answer } = await this.client.attempt(() => fetchOnce(this.client, place, { offset: fetchOffset, bytesMax, waitMs: 200 }))
    if (answer === undefined) return false
    const { error, highWatermark, logStartOffset, records } = answer
    this.client.history.polls.push({
      consumer: `${this.name}.${this.#round}`, ...place, invokedAt, endedAt, fetchOffset, error, highWatermark, logStartOffset, records,
    })
    if (error === ErrorCode.OFFSET_OUT_OF_RANGE) this.offset = undefined
    if (error === ErrorCode.UNKNOWN_TOPIC_ID || error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) this.#retireIfDeleted()
    if (error !== ErrorCode.NONE) return error === ErrorCode.OFFSET_OUT_OF_RANGE
    this.done++
    this.offset = Math.max(fetchOffset, (records.at(-1)?.offset ?? -1) + 1)
    if (rereads && this.offset >= highWatermark) this.offset = undefined
    return true
  }

  #retireIfDeleted(): void {
    const topic = this.client.history.topics.find(({ topicId }) => topicId === this.#options.place.topicId)
    if (topic?.deletedAt !== undefined) this.isRetired = true
  }
}
