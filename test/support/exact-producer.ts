// Writes input for suites that count: each batch exactly once, whatever happens to brokers meanwhile. It asks again until a
// leader says that it has the batch, with the same producer id and sequence, so that a second one is known for what it is.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { initProducerIdApi } from '../../broker/protocol/messages/init-producer-id.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { leaderOf, type PartitionPlace } from './committed-records.ts'
import { type GivenRecord, recordBatch } from './record-batches.ts'
import { ErrorAnswer } from './topic-reader.ts'
import { WireClient } from './wire-client.ts'

const againAfterMs = 100
const answerMsMax = 10_000
/** The last version that names topics. */
const version = 12

export class ExactProducer {
  readonly #addresses: readonly string[]
  readonly #producerId: number
  readonly #sequences = new Map<string, number>()
  readonly #connections = new Map<string, WireClient>()

  private constructor(addresses: readonly string[], producerId: number) {
    this.#addresses = addresses
    this.#producerId = producerId
  }

  static async open(addresses: readonly string[]): Promise<ExactProducer> {
    const wire = await WireClient.connect(addresses[0]!)
    try {
      const { errorCode, producerId } = await wire.call(initProducerIdApi, { transactionalId: null, transactionTimeoutMs: 60_000 })
      if (errorCode !== ErrorCode.NONE) throw new ErrorAnswer('producer id', errorCode)
      return new ExactProducer(addresses, producerId)
    } finally {
      wire.close()
    }
  }

  /** One call at a time for each partition. */
  async send(place: PartitionPlace, records: readonly GivenRecord[], { withinMs = 60_000 } = {}): Promise<void> {
    const name = `${place.topic}-${place.partition}`
    const baseSequence = this.#sequences.get(name) ?? 0
    const batch = recordBatch(records, { producerId: this.#producerId, producerEpoch: 0, baseSequence })
    for (let attempt = 0, deadline = performance.now() + withinMs; ; attempt++) {
      try {
        await this.#sendOnce(place, { batch, address: this.#addresses[attempt % this.#addresses.length]! })
        this.#sequences.set(name, baseSequence + records.length)
        return
      } catch (error) {
        if (performance.now() > deadline) throw error
        await sleep(againAfterMs)
      }
    }
  }

  close(): void {
    for (const wire of this.#connections.values()) wire.close()
  }

  async #sendOnce(place: PartitionPlace, { batch, address }: { readonly batch: Buffer; readonly address: string }): Promise<void> {
    const leader = await leaderOf(address, place)
    const wire = await this.#connection(leader.address)
    const { responses: [topic] } = await wire.call(produceApi, {
      acks: -1, timeoutMs: answerMsMax, topicData: [{ name: place.topic, partitionData: [{ index: place.partition, records: [batch] }] }],
    }, { version, timeoutMs: answerMsMax })
    const code = topic?.partitionResponses[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR
    if (code !== ErrorCode.NONE && code !== ErrorCode.DUPLICATE_SEQUENCE_NUMBER) throw new ErrorAnswer(`produce to ${place.topic}-${place.partition}`, code)
  }

  async #connection(address: string): Promise<WireClient> {
    const known = this.#connections.get(address)
    if (known !== undefined && !known.isLost) return known
    const wire = await WireClient.connect(address)
    this.#connections.set(address, wire)
    return wire
  }
}
