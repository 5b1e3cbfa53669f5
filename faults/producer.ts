// An idempotent producer with acks=all for one partition. It writes down every attempt, keeps up to five batches under way,
// and sends again, in order, what was not acknowledged, to whoever leads then.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { initProducerIdApi } from '../broker/protocol/messages/init-producer-id.ts'
import { produceApi } from '../broker/protocol/messages/produce.ts'
import type { History, Outcome, Place } from '../sim/check/history.ts'
import { valueBytes } from '../sim/check/values.ts'
import { recordBatch } from '../test/support/record-batches.ts'
import { WireClient } from '../test/support/wire-client.ts'
import type { Leaders } from './leaders.ts'

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

const inFlightMax = 5
const fillerBytes = 80
const writeMsMax = 5_000
const answerMsMax = 10_000
const retryMs = 20

export interface ProducerOptions {
  readonly name: string
  readonly place: Place
  readonly leaders: Leaders
  readonly history: History
  readonly recordsPerBatch: number
  /** Milliseconds between two batches. */
  readonly everyMs: number
}

interface Batch {
  readonly number: number
  readonly values: readonly string[]
  readonly bytes: Buffer
  readonly base: number
}

interface Session {
  readonly producerId: number
  readonly producerEpoch: number
}

/** The error code; undefined where there was no answer. */
type Answer = number | undefined

export class Producer {
  readonly #options: ProducerOptions
  readonly #again: Batch[] = []
  #session: Session | undefined
  #wire: { readonly client: WireClient; readonly address: string } | undefined
  #nextSequence = 0
  #batches = 0
  #dueAt = 0
  #isStopping = false
  #isOver = false
  #over: Promise<void> = Promise.resolve()
  /** When acknowledgements came. */
  readonly ackTimes: number[] = []

  constructor(options: ProducerOptions) {
    this.#options = options
  }

  get partition(): number {
    return this.#options.place.partition
  }

  /** Rejects where nobody gives it an id. */
  async start(bootstrap: string): Promise<void> {
    const wire = await WireClient.connect(bootstrap, this.#options.name)
    const { errorCode, producerId, producerEpoch } = await wire.call(initProducerIdApi, {
      transactionalId: null, transactionTimeoutMs: 60_000, producerId: -1, producerEpoch: -1,
    })
    wire.close()
    if (errorCode !== ErrorCode.NONE) throw new Error(`no producer id: error ${errorCode}`)
    this.#session = { producerId, producerEpoch }
    this.#dueAt = performance.now()
    this.#over = this.#run().finally(() => (this.#isOver = true))
  }

  /** Resolves once everything that was begun is acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#over
    this.#hangUp()
  }

  /** Why it is not done yet, in words. */
  get state(): string {
    const { name, history, place, leaders } = this.#options
    const last = history.attempts.filter(({ producer }) => producer === name).slice(-3).map(({ error, batch, outcome, endedAt }) =>
      `batch ${batch} ${outcome} ${error} ${((performance.now() - endedAt) / 1000).toFixed(1)} s ago`)
    const leader = leaders.of(place.partition)
    return `${name}: ${this.#isOver ? 'over' : `${this.#again.length} to send again`}, leader ${leader?.leader} in epoch ${leader?.leaderEpoch}, ${last.join(', ')}`
  }

  /** Somebody else leads: what is under way with the one before is not waited for. */
  reroute(): void {
    if (this.#wire !== undefined && this.#wire.address !== this.#options.leaders.of(this.partition)?.address) this.#hangUp()
  }

  async #run(): Promise<void> {
    const inFlight: { readonly batch: Batch; readonly answer: Promise<Answer> }[] = []
    while (this.#session !== undefined) {
      if (this.#isStopping && this.#again.length === 0 && inFlight.length === 0) return
      const wire = await this.#connected()
      if (wire === undefined) {
        await sleep(retryMs)
        continue
      }
      while (inFlight.length < inFlightMax) {
        const batch = this.#again.shift() ?? this.#due()
        if (batch === undefined) break
        inFlight.push({ batch, answer: this.#send(wire, this.#session, batch) })
      }
      const oldest = inFlight.shift()
      if (oldest === undefined) {
        await sleep(Math.max(1, this.#dueAt - performance.now()))
        continue
      }
      const error = await oldest.answer
      if (error === ErrorCode.NONE) continue
      // What is behind it on the connection shares its fate.
      this.#hangUp()
      const behind = await Promise.all(inFlight.splice(0).map(async ({ batch, answer }) => ({ batch, error: await answer })))
      if (error !== undefined && sessionIsOver.has(error)) return this.#giveUp(error)
      this.#again.unshift(oldest.batch, ...behind.filter((one) => one.error !== ErrorCode.NONE).map(({ batch }) => batch))
      this.#options.leaders.askNow()
      await sleep(retryMs)
    }
  }

  /** Everything before was acknowledged, and still the broker does not go on with it. */
  #giveUp(error: number): void {
    this.#options.history.dismissals.push(`${this.#options.name} has everything before acknowledged, and was told error ${error}`)
    this.#session = undefined
  }

  /** The next batch, if it is time for it. What could not be sent for long is not made up for. */
  #due(): Batch | undefined {
    const { everyMs, recordsPerBatch: count, name } = this.#options
    const now = performance.now()
    if (this.#isStopping || now < this.#dueAt) return undefined
    this.#dueAt = Math.max(this.#dueAt + everyMs, now - inFlightMax * everyMs)
    const number = this.#batches++
    const base = this.#nextSequence
    this.#nextSequence += count
    const values = Array.from({ length: count }, (_, index) => `${name}:${base + index}`)
    const bytes = recordBatch(values.map((value) => ({ value: valueBytes(value, fillerBytes) })), { ...this.#session, baseSequence: base })
    return { number, values, bytes, base }
  }

  async #send(wire: WireClient, session: Session, batch: Batch): Promise<Answer> {
    const { place: { topicId, partition }, history, name } = this.#options
    const invokedAt = performance.now()
    const answer = await wire.call(produceApi, {
      acks: -1, timeoutMs: writeMsMax,
      topicData: [{ topicId, name: '', partitionData: [{ index: partition, records: [batch.bytes] }] }],
    }, { timeoutMs: answerMsMax }).catch(() => undefined)
    const endedAt = performance.now()
    const found = answer?.responses[0]?.partitionResponses[0]
    const error = found?.errorCode
    const outcome: Outcome = error === ErrorCode.NONE ? 'ok' : error !== undefined && surelyNotWritten.has(error) ? 'fail' : 'info'
    if (outcome === 'ok') this.ackTimes.push(endedAt)
    history.attempts.push({
      producer: name, topicId, partition, batch: batch.number, values: batch.values, invokedAt, endedAt, outcome,
      sequence: { ...session, base: batch.base },
      offset: outcome === 'ok' ? found!.baseOffset : -1, error: error ?? ErrorCode.NETWORK_EXCEPTION,
    })
    return error
  }

  async #connected(): Promise<WireClient | undefined> {
    if (this.#wire !== undefined && !this.#wire.client.isLost) return this.#wire.client
    const address = this.#options.leaders.of(this.partition)?.address
    if (address === undefined) return undefined
    try {
      this.#wire = { client: await WireClient.connect(address, this.#options.name), address }
      return this.#wire.client
    } catch {
      return undefined
    }
  }

  #hangUp(): void {
    this.#wire?.client.close()
    this.#wire = undefined
  }
}
