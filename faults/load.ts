// The load of one fault: a topic of its own, a producer, a reader and a lister for each partition, and their history.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { createTopicsApi } from '../broker/protocol/messages/create-topics.ts'
import { deleteTopicsApi } from '../broker/protocol/messages/delete-topics.ts'
import { emptyHistory, type History } from '../sim/check/history.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { Leaders } from './leaders.ts'
import { Producer } from './producer.ts'
import { Lister, Tail } from './readers.ts'
import type { TopicPlace } from './reads.ts'

export const partitions = 6

export interface Rate {
  readonly recordsPerBatch: number
  /** Milliseconds between two batches of a partition. */
  readonly everyMs: number
}

/** Small segments, so that there is something to upload. */
const configs = [{ name: 'segment.bytes', value: '262144' }, { name: 'retention.ms', value: '-1' }]
const stopMsMax = 60_000

export class Load {
  readonly topic: string
  readonly topicId: string
  readonly places: readonly TopicPlace[]
  readonly history: History = emptyHistory({ skewMsMax: 0, lateMsMax: 60_000, isAlone: false })
  readonly leaders: Leaders
  readonly producers: readonly Producer[]
  readonly #readers: readonly (Tail | Lister)[]
  readonly #bootstrap: readonly string[]
  #stopped: Promise<boolean> | undefined

  private constructor(topic: string, of: { topicId: string; bootstrap: readonly string[]; rate: Rate }) {
    const { topicId, bootstrap, rate } = of
    this.topic = topic
    this.topicId = topicId
    this.#bootstrap = bootstrap
    this.history.topics.push({ topicId, name: topic, partitions, retentionMs: Infinity, deletedAt: undefined })
    this.leaders = new Leaders(topicId, bootstrap)
    const shared = { leaders: this.leaders, history: this.history }
    this.places = Array.from({ length: partitions }, (_, partition) => ({ topic, topicId, partition }))
    this.producers = this.places.map((place) => new Producer({ ...shared, ...rate, place, name: `p${place.partition}` }))
    this.#readers = this.places.flatMap((place) => [new Tail(place, shared), new Lister(place, shared)])
    this.leaders.onChange = (partition) => this.producers[partition]?.reroute()
  }

  /** Makes the topic and begins. */
  static async begin(topic: string, { bootstrap, rate }: { readonly bootstrap: readonly string[]; readonly rate: Rate }): Promise<Load> {
    const load = new Load(topic, { topicId: await makeTopic(bootstrap, { name: topic, partitions, configs }), bootstrap, rate })
    load.leaders.start()
    await Promise.all(load.producers.map((producer, index) => producer.start(bootstrap[index % bootstrap.length]!)))
    for (const reader of load.#readers) reader.start()
    return load
  }

  /** Records that were acknowledged. */
  get acknowledged(): number {
    return this.history.attempts.reduce((sum, { outcome, values }) => sum + (outcome === 'ok' ? values.length : 0), 0)
  }

  /** How often each error was answered after a moment; that nothing was answered counts too. */
  errorsSince(moment: number): Map<string, number> {
    const names = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]))
    const errors = this.history.attempts.filter(({ outcome, endedAt }) => outcome !== 'ok' && endedAt >= moment).map(({ error }) => names.get(error) ?? String(error))
    return new Map([...Map.groupBy(errors, (name) => name)].map(([name, all]) => [name, all.length]))
  }

  /** Resolves when every producer has got an acknowledgement after `moment`. False: not within the time. */
  async progress(moment: number, withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs
    while (!this.producers.every(({ ackTimes }) => (ackTimes.at(-1) ?? -1) > moment)) {
      if (performance.now() > until) return false
      await sleep(20)
    }
    return true
  }

  /** Longest time between two acknowledgements of a partition; a span's ends count as one where there is none. */
  longestGapMs({ start, end }: { readonly start: number; readonly end: number }, of = (_partition: number) => true): number {
    let longest = 0
    for (const { ackTimes } of this.producers.filter(({ partition }) => of(partition))) {
      const before = ackTimes.findLast((time) => time < start) ?? start
      const within = ackTimes.filter((time) => time >= start && time <= end)
      const times = [before, ...within, end]
      for (let index = 1; index < times.length; index++) {
        longest = Math.max(longest, times[index]! - times[index - 1]!)
      }
    }
    return longest
  }

  /** What everybody is at, in words. */
  get state(): string {
    return [...this.producers, ...this.#readers].map(({ state }) => state).join('\n')
  }

  /** False: somebody did not get everything acknowledged in time. */
  stop(): Promise<boolean> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<boolean> {
    const all = Promise.all([...this.producers, ...this.#readers].map((one) => one.stop())).then(() => true)
    const isDone = await Promise.race([all, sleep(stopMsMax, false, { ref: false })])
    await this.leaders.stop()
    return isDone
  }

  /** All of which the history knows. */
  async removeTopics(): Promise<void> {
    const wire = await WireClient.connect(this.#bootstrap[0]!, 'admin')
    const topics = this.history.topics.filter(({ deletedAt }) => deletedAt === undefined).map(({ topicId }) => ({ name: null, topicId }))
    await wire.call(deleteTopicsApi, { topics, topicNames: [], timeoutMs: 10_000 })
    wire.close()
  }
}

export interface WantedTopic {
  readonly name: string
  readonly partitions: number
  readonly configs: readonly { readonly name: string; readonly value: string }[]
  /** Who has the replicas of every partition; not given: all brokers. */
  readonly brokerIds?: readonly number[]
}

/** Tries again while the brokers have not heard of each other. */
export async function makeTopic(bootstrap: readonly string[], { name, partitions, configs, brokerIds }: WantedTopic): Promise<string> {
  const wire = await WireClient.connect(bootstrap[0]!, 'admin')
  const placed = brokerIds === undefined
    ? { numPartitions: partitions, assignments: [] }
    : { numPartitions: -1, assignments: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, brokerIds })) }
  try {
    for (const until = performance.now() + stopMsMax; ; await sleep(100)) {
      const { topics: [made] } = await wire.call(createTopicsApi, {
        topics: [{ name, replicationFactor: -1, ...placed, configs }], timeoutMs: 10_000,
      })
      if (made?.errorCode === ErrorCode.NONE) return made.topicId
      if (made?.errorCode !== ErrorCode.INVALID_REPLICATION_FACTOR || performance.now() > until) {
        throw new Error(`topic ${name} was not made: error ${made?.errorCode}`)
      }
    }
  } finally {
    wire.close()
  }
}
