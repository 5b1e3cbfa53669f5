// Producers over the raw protocol that write down every attempt. Library clients hide what they send again; these do not.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { initProducerIdApi } from '../../broker/protocol/messages/init-producer-id.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { recordBatch } from '../support/record-batches.ts'
import { ConnectionLost, WireClient } from '../support/wire-client.ts'
import type { Attempt } from './history.ts'
import { valueBytes } from './value.ts'

export interface ProducerOptions {
  readonly producer: number
  readonly bootstrap: string
  readonly topicId: string
  readonly partition: number
  readonly isIdempotent: boolean
  readonly recordsPerBatch: number
  /** Beside the value's name, in bytes. */
  readonly fillerBytes: number
  /** Requests that wait for their answer at once, in batches; an idempotent producer may have at most five (KIP-98). */
  readonly inFlightMax: number
}

/** Answers that say that nothing was written, now or later. */
const surelyNotWritten: ReadonlySet<number> = new Set([
  ErrorCode.MESSAGE_TOO_LARGE,
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.INVALID_RECORD,
  ErrorCode.INVALID_TIMESTAMP,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  ErrorCode.INVALID_PRODUCER_EPOCH,
])

interface Batch {
  readonly attempt: Attempt
  readonly bytes: Buffer
}

/** Writes to one partition until it is told to stop; over every loss of its connection, and every error. */
export class RecordingProducer {
  readonly attempts: Attempt[] = []
  /** Batches. */
  acknowledged = 0
  /** Attempts that were under way when a connection was lost: what shows that a crash hit something. */
  interrupted = 0
  /** Why an idempotent producer could not go on. */
  broken: string | undefined
  /** Answers other than success, and how many of each. */
  readonly errors = new Map<number, number>()
  readonly #options: ProducerOptions
  readonly #done: Promise<void>
  #stopping = false
  #isAborted = false
  #client: WireClient | undefined
  #session: { producerId: number; producerEpoch: number } = { producerId: -1, producerEpoch: -1 }
  #nextSequence = 0
  #nextValue = 0

  constructor(options: ProducerOptions) {
    this.#options = options
    this.#done = this.#run()
  }

  /** Resolves when what is under way has its answer; idempotent producers go on until everything is acknowledged. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#done
    this.#client?.close()
  }

  /** Ends it where it stands, for a test that has failed. */
  abort(): void {
    this.#isAborted = true
    this.#client?.close()
  }

  async #run(): Promise<void> {
    const { isIdempotent, inFlightMax } = this.#options
    const inFlight: { batch: Batch; answer: Promise<number> }[] = []
    const again: Batch[] = []
    for (;;) {
      const client = await this.#connected()
      if (client === undefined) return
      while (inFlight.length < inFlightMax && (again.length > 0 || !this.#stopping)) {
        const batch = again.shift() ?? this.#makeBatch()
        const answer = this.#send(client, batch)
        answer.catch(() => {})
        inFlight.push({ batch, answer })
      }
      const oldest = inFlight.shift()
      if (oldest === undefined) return
      const result = await oldest.answer.catch((error: unknown) =>
        error instanceof ConnectionLost ? error : Promise.reject(error),
      )
      if (result === ErrorCode.NONE) continue
      const { attempt } = oldest.batch
      if (!(result instanceof ConnectionLost) && surelyNotWritten.has(result)) {
        attempt.outcome = 'fail'
        attempt.reason = `error ${result}`
        if (!isIdempotent) continue
        // Its session is broken: what comes next would leave a hole.
        this.broken = `error ${result}`
        return
      }
      // What is behind it on the connection shares its fate: an idempotent producer sends all of it again, in order.
      const hit = [oldest, ...inFlight.splice(0)]
      this.interrupted += hit.length
      client.close()
      if (!isIdempotent) continue
      again.unshift(...hit.map(({ batch }) => batch).filter(({ attempt: { outcome } }) => outcome !== 'ok'))
      await sleep(10)
    }
  }

  #makeBatch(): Batch {
    const { producer, partition, isIdempotent, recordsPerBatch, fillerBytes } = this.#options
    const values = Array.from({ length: recordsPerBatch }, () => `${producer}:${partition}:${this.#nextValue++}`)
    const attempt: Attempt = { producer, isIdempotent, partition, values, outcome: 'info', offset: -1, reason: 'no answer' }
    const bytes = recordBatch(
      values.map((value) => ({ value: valueBytes(value, fillerBytes) })),
      {
        ...this.#session,
        baseSequence: isIdempotent ? this.#nextSequence : -1,
      },
    )
    this.#nextSequence += recordsPerBatch
    this.attempts.push(attempt)
    return { attempt, bytes }
  }

  async #send(client: WireClient, { attempt, bytes }: Batch): Promise<number> {
    const { topicId, partition } = this.#options
    const response = await client.call(produceApi, {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ topicId, name: '', partitionData: [{ index: partition, records: [bytes] }] }],
    })
    const { errorCode, baseOffset } = response.responses[0]!.partitionResponses[0]!
    if (errorCode === ErrorCode.NONE) {
      this.acknowledged++
      attempt.outcome = 'ok'
      attempt.offset = baseOffset
      attempt.reason = ''
    } else this.errors.set(errorCode, (this.errors.get(errorCode) ?? 0) + 1)
    return errorCode
  }

  async #connected(): Promise<WireClient | undefined> {
    while (!this.#isAborted && (this.#client === undefined || this.#client.isLost)) {
      try {
        this.#client = await WireClient.connect(this.#options.bootstrap)
        if (this.#options.isIdempotent && this.#session.producerId < 0) await this.#startSession(this.#client)
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        await sleep(10)
      }
    }
    return this.#isAborted ? undefined : this.#client
  }

  async #startSession(client: WireClient): Promise<void> {
    const { errorCode, producerId, producerEpoch } = await client.call(initProducerIdApi, {
      transactionalId: null,
      transactionTimeoutMs: 60_000,
      producerId: -1,
      producerEpoch: -1,
    })
    if (errorCode !== ErrorCode.NONE) throw new ConnectionLost(`no producer id: error ${errorCode}`)
    this.#session = { producerId, producerEpoch }
  }
}
