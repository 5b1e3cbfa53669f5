// A producer that writes down every attempt. An idempotent one keeps up to five batches under way and sends again, in
// order, what was not acknowledged, as Kafka's does; the other one sends each batch once.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { initProducerIdApi } from '../../broker/protocol/messages/init-producer-id.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { recordBatch } from '../../test/support/record-batches.ts'
import type { Keyed, Outcome, Place } from '../check/history.ts'
import { NoAnswer, type Wire } from '../wire.ts'
import { Actor } from './actor.ts'
import { recordOf, someKey } from './batches.ts'
import type { Client } from './client.ts'

/** Answers that say that nothing was written, now or later. */
const surelyNotWritten: ReadonlySet<number> = new Set([
  ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.CORRUPT_MESSAGE, ErrorCode.INVALID_RECORD, ErrorCode.INVALID_TIMESTAMP,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.INVALID_PRODUCER_EPOCH,
])

/** Answers that end a session: nothing the producer knows of explains them. */
const sessionIsOver: ReadonlySet<number> = new Set([
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.UNKNOWN_PRODUCER_ID,
  ErrorCode.DUPLICATE_SEQUENCE_NUMBER,
])

export interface ProducerOptions {
  readonly place: Place
  readonly isIdempotent: boolean
  readonly recordsMax: number
  readonly fillerBytesMax: number
  readonly thinkMs: number
  readonly inFlightMax: number
  /** Of so many keys each record has one, and may delete it; undefined: records have none. */
  readonly keys?: number
}

interface Batch {
  readonly number: number
  readonly values: readonly string[]
  readonly keys: readonly Keyed[] | undefined
  readonly bytes: Buffer
  readonly base: number
}

interface Session {
  readonly producerId: number
  readonly producerEpoch: number
}

export class Producer extends Actor {
  readonly #options: ProducerOptions
  #session: Session | undefined
  #nextSequence = 0
  #batches = 0
  #values = 0

  constructor(client: Client, options: ProducerOptions) {
    super(client)
    this.#options = options
  }

  protected async run(): Promise<void> {
    const { isIdempotent, inFlightMax, thinkMs } = this.#options
    const inFlight: { batch: Batch; answer: Promise<number | undefined> }[] = []
    const again: Batch[] = []
    while (!this.isRetired) {
      const wire = await this.#connected()
      if (wire === undefined) {
        if (this.isStopping && (again.length === 0 || this.#isDeleted)) return
        await this.client.think(200)
        continue
      }
      while (inFlight.length < inFlightMax && (again.length > 0 || !this.isStopping)) {
        const batch = again.shift() ?? this.#makeBatch()
        inFlight.push({ batch, answer: this.#send(wire, batch) })
        if (this.client.dice.chance(0.5)) break
      }
      const oldest = inFlight.shift()
      if (oldest === undefined) return
      const error = await oldest.answer
      if (error === ErrorCode.NONE) {
        this.done++
        await this.client.think(thinkMs)
        continue
      }
      // What is behind it on the connection shares its fate: an idempotent producer sends all of it again, in order.
      this.client.hangUp()
      const behind = await Promise.all(inFlight.splice(0).map(async ({ batch, answer }) => ({ batch, error: await answer })))
      const isOver = error !== undefined && this.#isOver(error)
      if (isIdempotent && !isOver) again.unshift(oldest.batch, ...behind.filter((one) => one.error !== ErrorCode.NONE).map(({ batch }) => batch))
      if (isOver) again.length = 0
      await this.client.think(100)
    }
  }

  /** Whether the session ends with this answer to the oldest batch that was not acknowledged. */
  #isOver(error: number): boolean {
    const { isIdempotent } = this.#options
    if (error === ErrorCode.UNKNOWN_TOPIC_ID || error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) {
      this.isRetired = this.#isDeleted
    }
    if (!isIdempotent || !sessionIsOver.has(error)) return this.isRetired
    this.client.history.dismissals.push(`${this.name} has everything before acknowledged, and was told error ${error}`)
    this.#session = undefined
    return true
  }

  /** Nobody leads what is deleted, and nobody says why. */
  get #isDeleted(): boolean {
    return this.client.history.topics.find(({ topicId }) => topicId === this.#options.place.topicId)?.deletedAt !== undefined
  }

  #makeBatch(): Batch {
    const { recordsMax, fillerBytesMax, isIdempotent, keys: keyCount } = this.#options
    const { dice } = this.client
    const count = dice.between(1, recordsMax)
    const values = Array.from({ length: count }, () => `${this.name}:${this.#values++}`)
    const keys = keyCount === undefined ? undefined : values.map(() => someKey(dice, keyCount))
    const base = isIdempotent ? this.#nextSequence : -1
    const bytes = recordBatch(
      values.map((value, index) => recordOf(value, dice.below(fillerBytesMax), keys?.[index])),
      { ...(this.#session ?? {}), baseSequence: base, timestamp: this.client.wallClock },
    )
    this.#nextSequence += count
    return { number: this.#batches++, values, keys, bytes, base }
  }

  /** The error code; undefined where there was no answer. */
  async #send(wire: Wire, batch: Batch): Promise<number | undefined> {
    const { place: { topicId, partition } } = this.#options
    const session = this.#session
    const { invokedAt, endedAt, answer } = await this.client.attempt(() => wire.call(produceApi, {
      acks: -1, timeoutMs: 5_000, topicData: [{ topicId, name: '', partitionData: [{ index: partition, records: [batch.bytes] }] }],
    }))
    const found = answer?.responses[0]?.partitionResponses[0]
    const error = found?.errorCode
    const outcome: Outcome = error === ErrorCode.NONE ? 'ok' : error !== undefined && surelyNotWritten.has(error) ? 'fail' : 'info'
    this.client.history.attempts.push({
      producer: this.name, topicId, partition, batch: batch.number, values: batch.values, invokedAt, endedAt, outcome,
      sequence: session === undefined ? undefined : { ...session, base: batch.base },
      offset: outcome === 'ok' ? found!.baseOffset : -1, error: error ?? ErrorCode.NETWORK_EXCEPTION,
      ...(batch.keys === undefined ? {} : { keys: batch.keys }),
    })
    return error
  }

  async #connected(): Promise<Wire | undefined> {
    try {
      if (this.#options.isIdempotent && this.#session === undefined) await this.#begin(await this.client.anyone())
      return await this.client.leaderOf(this.#options.place)
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause
      this.client.forget()
      return undefined
    }
  }

  async #begin(wire: Wire): Promise<void> {
    const { errorCode, producerId, producerEpoch } = await wire.call(initProducerIdApi, {
      transactionalId: null, transactionTimeoutMs: 60_000, producerId: -1, producerEpoch: -1,
    })
    if (errorCode !== ErrorCode.NONE) throw new NoAnswer(`no producer id: error ${errorCode}`)
    this.#session = { producerId, producerEpoch }
    this.#nextSequence = 0
  }
}
