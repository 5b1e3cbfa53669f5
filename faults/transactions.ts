// Transactions beside the load of a fault: loops that consume one of its partitions and write what they make of it to a topic
// of their own, and readers of committed records. In the end nothing may be open, and input and output are held together.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { type Load, makeTopic } from './load.ts'
import { Loop, look } from './loop.ts'
import { RealReach } from './reach.ts'
import { CommittedTail } from './readers.ts'
import { endFrom, type TopicPlace } from './reads.ts'
import { Leaders } from './leaders.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { observe } from './metadata.ts'

/** After which the coordinator aborts what is open, in milliseconds. */
export const timeoutMs = 6_000
/** L3: from then on. */
const settleMsMax = timeoutMs + 10_000

const partitions = 3
/** Two under one name, which fence each other, and one for whom every transaction has the same epoch. */
const loops = [
  { name: 'loop-0', transactionalId: 'loop', isOld: false },
  { name: 'loop-1', transactionalId: 'loop', isOld: false },
  { name: 'single', transactionalId: 'single', isOld: false },
  { name: 'old', transactionalId: 'old', isOld: true },
]

export class Transactions {
  readonly load: Load
  readonly places: readonly TopicPlace[]
  /** Where loops begin to read, by group. */
  readonly source: TopicPlace
  readonly #cluster: Cluster
  readonly #loops: readonly Loop[]
  readonly #tails: readonly CommittedTail[]
  readonly #leaders: Leaders
  #stopped: Promise<void> | undefined

  private constructor(load: Load, cluster: Cluster, topic: { readonly name: string; readonly topicId: string }) {
    const { history } = load
    this.load = load
    this.#cluster = cluster
    history.topics.push({ ...topic, partitions, retentionMs: Infinity, deletedAt: undefined })
    this.places = Array.from({ length: partitions }, (_, partition) => ({ topic: topic.name, topicId: topic.topicId, partition }))
    this.source = load.places[0]!
    this.#loops = loops.map(({ transactionalId, ...loop }, index) => new Loop(new RealReach(loop.name, cluster.bootstrap, index), {
      // Of this fault alone: what the one before left is another story.
      ...loop, transactionalId: `${load.topic}-${transactionalId}`, group: `${load.topic}-${transactionalId}`, history, timeoutMs,
      source: this.source, outputs: this.places,
    }))
    this.#leaders = new Leaders(topic.topicId, cluster.bootstrap)
    this.#tails = this.places.map((place) => new CommittedTail(place, { leaders: this.#leaders, history }))
  }

  static async begin(load: Load, cluster: Cluster): Promise<Transactions> {
    const name = `${load.topic}-out`
    const configs = [{ name: 'segment.bytes', value: '65536' }, { name: 'retention.ms', value: '-1' }, { name: 'local.retention.ms', value: '2000' }]
    const topicId = await makeTopic(cluster.bootstrap, { name, partitions, configs })
    const transactions = new Transactions(load, cluster, { name, topicId })
    transactions.#leaders.start()
    for (const one of [...transactions.#loops, ...transactions.#tails]) one.start()
    return transactions
  }

  get summary(): string {
    const { transactions } = this.load.history
    const committed = transactions.filter(({ asked, outcome }) => asked === 'commit' && outcome === 'ok').length
    return `${transactions.length} transactions, ${committed} committed`
  }

  /** Transactions whose end was acknowledged since a moment. */
  endedSince(moment: number): number {
    return this.load.history.transactions.filter(({ endedAt, outcome }) => outcome === 'ok' && endedAt > moment).length
  }

  stop(): Promise<void> {
    this.#stopped ??= Promise.all([...this.#loops, ...this.#tails].map((one) => one.stop())).then(() => this.#leaders.stop())
    return this.#stopped
  }

  /** Rejects where something stays open for longer than anybody may leave it so. */
  async settle(): Promise<void> {
    const until = performance.now() + settleMsMax
    for (const place of this.places) {
      while (!(await this.isStable(place))) {
        assert.ok(performance.now() < until, `what is open in ${place.topic}-${place.partition} was not ended within ${settleMsMax} ms`)
        await sleep(100)
      }
    }
    const reach = new RealReach('settled', this.#cluster.observed)
    for (const { transactionalId } of loops.filter(({ name }) => name !== 'loop-1')) {
      const of = { group: `${this.load.topic}-${transactionalId}`, source: this.source, history: this.load.history }
      while ((await look(reach, of)) === undefined) {
        assert.ok(performance.now() < until, `what ${of.group} has committed was not told within ${settleMsMax} ms`)
        reach.lookAgain()
        await sleep(100)
      }
    }
    reach.close()
  }

  /** Nothing is open in it, as its leader says. */
  async isStable(place: TopicPlace): Promise<boolean> {
    const state = (await observe(this.#cluster.observed, place.topicId))[place.partition]
    if (state === undefined || state.leader < 0) return false
    const wire = await WireClient.connect(this.#cluster.addressOf(state.leader), 'settled').catch(() => undefined)
    try {
      if (wire === undefined) return false
      const [stable, latest] = [await endFrom(wire, { ...place, which: 'stable' }), await endFrom(wire, { ...place, which: 'latest' })]
      return stable.error === 0 && latest.error === 0 && stable.offset === latest.offset
    } catch {
      return false
    } finally {
      wire?.close()
    }
  }
}
