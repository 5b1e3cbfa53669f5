// Load on a broker that is going to crash: producers of both kinds on several partitions, and a consumer per partition
// that reads along. In the end everything is read, and the checker says whether the promises held.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { batchesIn, type RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsIn } from '../support/record-batches.ts'
import { batchesFrom, createTopic, fetchOnce } from '../support/topic-reader.ts'
import { ConnectionLost, WireClient } from '../support/wire-client.ts'
import { check, type Violation } from './checker.ts'
import type { History, LoggedBatch, Sighting } from './history.ts'
import { RecordingProducer } from './producers.ts'
import { parseValue } from './value.ts'

export interface LoadOptions {
  readonly bootstrap: string
  readonly partitions: number
  readonly recordsPerBatch?: number
  readonly fillerBytes?: number
  /** Of the topic. */
  readonly configs?: Readonly<Record<string, string>>
}

function sightings(partition: number, batch: RecordBatch): Sighting[] {
  return recordsIn(batch).map(({ offset, value }) => ({ partition, offset, ...parseValue(value!) }))
}

export class CrashLoad {
  readonly name: string
  readonly topicId: string
  readonly producers: readonly RecordingProducer[]
  readonly #options: LoadOptions
  readonly #readers: readonly PollingConsumer[]

  private constructor(options: LoadOptions, topic: { readonly name: string; readonly topicId: string }) {
    const { name, topicId } = topic
    this.#options = options
    this.name = name
    this.topicId = topicId
    const { bootstrap, recordsPerBatch = 5, fillerBytes = 80 } = options
    const partitions = Array.from({ length: options.partitions }, (_, partition) => partition)
    this.producers = partitions.flatMap((partition) =>
      [true, false].map(
        (isIdempotent) =>
          new RecordingProducer({
            producer: partition * 2 + (isIdempotent ? 0 : 1),
            bootstrap,
            topicId,
            partition,
            isIdempotent,
            recordsPerBatch,
            fillerBytes,
            inFlightMax: 5,
          }),
      ),
    )
    this.#readers = partitions.map((partition) => new PollingConsumer(bootstrap, topicId, partition))
  }

  static async start(options: LoadOptions): Promise<CrashLoad> {
    const client = await WireClient.connect(options.bootstrap)
    const { partitions, configs = {} } = options
    const name = `crash-${randomUUID()}`
    const topicId = await createTopic(client, { name, partitions, configs })
    client.close()
    return new CrashLoad(options, { name, topicId })
  }

  get acknowledged(): number {
    return this.producers.reduce((sum, producer) => sum + producer.acknowledged, 0)
  }

  get interrupted(): number {
    return this.producers.reduce((sum, producer) => sum + producer.interrupted, 0)
  }

  /** Waits until every producer had something acknowledged since. */
  async progress(withinMs = 20_000): Promise<void> {
    const before = this.producers.map(({ acknowledged }) => acknowledged)
    for (const deadline = performance.now() + withinMs; performance.now() < deadline; await sleep(10)) {
      if (this.producers.every(({ acknowledged }, index) => acknowledged > before[index]!)) return
    }
    const stuck = this.producers.map(
      ({ acknowledged, errors }, index) => `${acknowledged - before[index]!} ${JSON.stringify([...errors])}`,
    )
    assert.fail(`not every producer got on within ${withinMs} ms: ${stuck.join(', ')}`)
  }

  /** Ends everything where it stands, for a test that has failed: what goes on trying would keep the process alive. */
  abort(): void {
    for (const producer of this.producers) producer.abort()
    for (const reader of this.#readers) void reader.stop()
  }

  /** Stops the load, reads everything, and returns what happened. */
  async finish(): Promise<History> {
    await Promise.all(this.producers.map((producer) => producer.stop()))
    const final: Sighting[] = []
    const batches: LoggedBatch[] = []
    const client = await WireClient.connect(this.#options.bootstrap)
    for (let partition = 0; partition < this.#options.partitions; partition++) {
      for await (const batch of batchesFrom(client, { topicId: this.topicId, partition, offset: 0 })) {
        final.push(...sightings(partition, batch))
        const { baseOffset, recordCount, producerId, producerEpoch, baseSequence } = batch
        batches.push({ partition, baseOffset, recordCount, producerId, producerEpoch, baseSequence })
      }
    }
    client.close()
    const polls = await Promise.all(this.#readers.map((reader) => reader.stop()))
    const dismissals = [...this.producers.map(({ broken }) => broken), ...this.#readers.map(({ dismissed }) => dismissed)].filter(
      (why) => why !== undefined,
    )
    return { attempts: this.producers.flatMap(({ attempts }) => attempts), polls, dismissals, final, batches }
  }
}

/** Fails with the violations, and leaves the history where it can be looked at. */
export function assertKept(history: History): void {
  const violations = check(history)
  if (violations.length === 0) return
  const file = join(tmpdir(), `longtail-history-${randomUUID()}.json`)
  writeFileSync(file, JSON.stringify(history))
  assert.fail(`${summary(violations)}\nthe history is in ${file}`)
}

function summary(violations: readonly Violation[]): string {
  return [`${violations.length} violations`, ...violations.slice(0, 20).map(({ rule, about }) => `${rule}: ${about}`)].join('\n')
}

/** Reads along from the beginning, over every loss of its connection. */
class PollingConsumer {
  /** Why it could not go on. */
  dismissed: string | undefined
  readonly #seen: Sighting[] = []
  readonly #done: Promise<void>
  #stopping = false

  constructor(bootstrap: string, topicId: string, partition: number) {
    this.#done = this.#run(bootstrap, { topicId, partition })
  }

  async stop(): Promise<readonly Sighting[]> {
    this.#stopping = true
    await this.#done
    return this.#seen
  }

  async #run(bootstrap: string, from: { topicId: string; partition: number }): Promise<void> {
    let offset = 0
    while (!this.#stopping) {
      try {
        const client = await WireClient.connect(bootstrap)
        while (!this.#stopping && !client.isLost) {
          const { errorCode, records } = await fetchOnce(client, { ...from, offset, maxWaitMs: 100 })
          // To a consumer, this one means: start over, from wherever. It must not come when nothing was deleted.
          if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
            this.dismissed = `partition ${from.partition} has no offset ${offset}, which follows what was read`
            return client.close()
          }
          for (const batch of batchesIn(records)) {
            const fresh = sightings(from.partition, batch).filter((sighting) => sighting.offset >= offset)
            this.#seen.push(...fresh)
            offset = batch.endOffset
          }
        }
        client.close()
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        await sleep(10)
      }
    }
  }
}
