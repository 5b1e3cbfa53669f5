// Where the replicas of new partitions go (KIP-36). One after the other, each to the broker that comes first by:
//
//   a rack that the partition has the fewest replicas in
//   the rack, then the broker, that has the fewest of the topic
//   the broker that has the fewest of all topics
//   the broker that shares the fewest partitions of the topic with those chosen: a broker's load falls to many when it dies
//
// Of the brokers of a partition, the one that leads the fewest comes first. So brokers have as many of a topic as any other,
// give or take one, where racks are equal; and all of it follows from the image, so whoever decides decides the same.

import { evenLeaders } from './even-leaders.ts'
import { aliveBrokers, type BrokerImage, type Image, targetReplicas, type TopicImage } from './image.ts'
import type { PartitionChanged } from './metadata-record.ts'

export interface WantedPlaces {
  readonly partitions: number
  /** At most the number of brokers that serve. */
  readonly replicationFactor: number
  /** The topic that gets more; a new one has nothing yet. */
  readonly topic?: TopicImage | undefined
}

interface Candidate {
  readonly brokerId: number
  readonly rack: string
  /** Replicas of all topics, and partitions that it leads where everything is as it should be. */
  replicas: number
  leads: number
}

/** Places replicas on the brokers that serve, and takes account of what it has placed. */
export class ReplicaPlacer {
  readonly #candidates: readonly Candidate[]
  readonly #byId: ReadonlyMap<number, Candidate>

  constructor(image: Image) {
    this.#candidates = aliveBrokers(image).map((broker) => ({ brokerId: broker.brokerId, rack: rackOf(broker), replicas: 0, leads: 0 }))
    this.#byId = new Map(this.#candidates.map((one) => [one.brokerId, one]))
    for (const topic of image.topics.values()) {
      for (const partition of topic.partitions) this.#count(targetReplicas(partition))
    }
  }

  /** The replicas of each partition, the leader first. */
  place({ partitions, replicationFactor, topic }: WantedPlaces): number[][] {
    const topicCounts = new TopicCounts(this.#candidates)
    for (const partition of topic?.partitions ?? []) topicCounts.add(targetReplicas(partition))
    const led = new Map(topicCounts.leads)
    const places = Array.from({ length: partitions }, () => {
      const chosen: Candidate[] = []
      while (chosen.length < replicationFactor) chosen.push(topicCounts.next(chosen))
      const leader = leastBy(chosen, ({ brokerId }) => topicCounts.leads.get(brokerId) ?? 0, ({ leads }) => leads)
      const replicas = [leader, ...chosen.filter((one) => one !== leader)].map(({ brokerId }) => brokerId)
      topicCounts.add(replicas)
      for (const one of chosen) one.replicas++
      return replicas
    })
    const even = evenLeaders(places, led)
    for (const [leader] of even) this.#byId.get(leader!)!.leads++
    return even
  }

  #count(replicas: readonly number[]): void {
    replicas.forEach((id, index) => {
      const candidate = this.#byId.get(id)
      if (candidate === undefined) return
      candidate.replicas++
      if (index === 0) candidate.leads++
    })
  }
}

/** What the brokers have of one topic. */
class TopicCounts {
  readonly #candidates: readonly Candidate[]
  readonly #replicas = new Map<number, number>()
  readonly leads = new Map<number, number>()
  readonly #shared = new Map<string, number>()
  readonly #rackOf: ReadonlyMap<number, string>
  readonly #rackSizes = new Map<string, number>()
  readonly #rackReplicas = new Map<string, number>()

  constructor(candidates: readonly Candidate[]) {
    this.#candidates = candidates
    this.#rackOf = new Map(candidates.map(({ brokerId, rack }) => [brokerId, rack]))
    for (const { rack } of candidates) bump(this.#rackSizes, rack)
  }

  add(replicas: readonly number[]): void {
    if (replicas[0] !== undefined) bump(this.leads, replicas[0])
    for (const id of replicas) {
      bump(this.#replicas, id)
      bump(this.#rackReplicas, this.#rackOf.get(id) ?? '')
      for (const other of replicas) if (other !== id) bump(this.#shared, `${id}:${other}`)
    }
  }

  next(chosen: readonly Candidate[]): Candidate {
    return leastBy(
      this.#candidates.filter((one) => !chosen.includes(one)),
      (one) => chosen.filter(({ rack }) => rack === one.rack).length,
      ({ rack }) => (this.#rackReplicas.get(rack) ?? 0) / this.#rackSizes.get(rack)!,
      ({ brokerId }) => this.#replicas.get(brokerId) ?? 0,
      ({ replicas }) => replicas,
      (one) => chosen.reduce((sum, { brokerId }) => sum + (this.#shared.get(`${one.brokerId}:${brokerId}`) ?? 0), 0),
    )
  }
}

/** A broker without a rack is in one with all others that have none. */
export function rackOf({ rack }: Pick<BrokerImage, 'rack'>): string {
  return rack ?? ''
}

/** The one with the smallest number; of several, the one with the smallest next number, and so on; then the first. */
export function leastBy<T>(all: readonly T[], ...numbers: readonly ((one: T) => number)[]): T {
  let left = all
  for (const number of numbers) {
    if (left.length === 1) break
    const values = left.map(number)
    const least = Math.min(...values)
    left = left.filter((_, index) => values[index] === least)
  }
  return left[0]!
}

function bump<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** The first state of a partition: led by its first replica, everybody in sync with nothing. */
export function newPartition(topicId: string, partition: number, replicas: readonly number[]): PartitionChanged {
  return {
    type: 'partitionChanged', topicId, partition,
    leader: replicas[0]!, leaderEpoch: 0, partitionEpoch: 0, replicas, isr: replicas, elr: [],
  }
}
