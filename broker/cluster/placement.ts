// Where the replicas of new partitions go (KIP-36). One after the other, each to the broker that comes first by:
//
//   a rack that the partition has the fewest replicas in
//   the rack, then the broker, that has the fewest of the topic
//   the broker that has the fewest of all topics
//   the broker that shares the fewest partitions of the topic with those chosen: a broker's load falls to many when it dies
//
// Of those that are as good as each other up to there, only some are asked what they share (candidate-order.ts).
//
// A broker that is being emptied gets none, unless there would be too few otherwise.
//
// Of the brokers of a partition, the one that leads the fewest comes first. So brokers have as many of a topic as any other,
// give or take one, where racks are equal; and all of it follows from the image, so whoever decides decides the same.

import { type Candidate, CandidateOrder } from './candidate-order.ts'
import { evenLeaders } from './even-leaders.ts'
import { aliveBrokers, type BrokerImage, type Image, isDraining, targetReplicas, type TopicImage } from './image.ts'
import { leastBy } from './least-by.ts'
import type { PartitionChanged } from './metadata-record.ts'

export interface WantedPlaces {
  readonly partitions: number
  /** At most the number of brokers that serve. */
  readonly replicationFactor: number
  /** The topic that gets more; a new one has nothing yet. */
  readonly topic?: TopicImage | undefined
}

/** Places replicas on the brokers that serve, and takes account of what it has placed. */
export class ReplicaPlacer {
  readonly #candidates: readonly Candidate[]
  /** Those that are not being emptied. */
  readonly #open: readonly Candidate[]
  readonly #byId: ReadonlyMap<number, Candidate>
  #looks = 0

  constructor(image: Image) {
    this.#candidates = aliveBrokers(image).map((broker) => ({ brokerId: broker.brokerId, rack: rackOf(broker), replicas: 0, leads: 0 }))
    this.#open = this.#candidates.filter(({ brokerId }) => !isDraining(image, brokerId))
    this.#byId = new Map(this.#candidates.map((one) => [one.brokerId, one]))
    for (const topic of image.topics.values()) {
      for (const partition of topic.partitions) this.#count(targetReplicas(partition))
    }
  }

  /** Brokers that were looked at so far. */
  get looks(): number {
    return this.#looks
  }

  /** The replicas of each partition, the leader first. */
  place({ partitions, replicationFactor, topic }: WantedPlaces): number[][] {
    const counts = new TopicCounts()
    for (const partition of topic?.partitions ?? []) counts.add(targetReplicas(partition))
    const led = new Map(counts.leads)
    const takers = this.#open.length >= replicationFactor ? this.#open : this.#candidates
    const order = new CandidateOrder(takers, counts.replicas)
    const places = Array.from({ length: partitions }, () => {
      const chosen: Candidate[] = []
      while (chosen.length < replicationFactor) chosen.push(order.next(chosen, ({ brokerId }) => counts.shared(brokerId, chosen)))
      const leader = leastBy(chosen, ({ brokerId }) => counts.leads.get(brokerId) ?? 0, ({ leads }) => leads)
      const replicas = [leader, ...chosen.filter((one) => one !== leader)].map(({ brokerId }) => brokerId)
      counts.add(replicas)
      order.take(chosen)
      return replicas
    })
    this.#looks += order.looks
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
  readonly replicas = new Map<number, number>()
  readonly leads = new Map<number, number>()
  /** By broker and broker: partitions that both have. */
  readonly #shared = new Map<number, Map<number, number>>()

  add(replicas: readonly number[]): void {
    if (replicas[0] !== undefined) bump(this.leads, replicas[0])
    for (const id of replicas) {
      bump(this.replicas, id)
      let shared = this.#shared.get(id)
      if (shared === undefined) this.#shared.set(id, (shared = new Map()))
      for (const other of replicas) if (other !== id) bump(shared, other)
    }
  }

  /** Partitions that a broker shares with others, counted for each of them. */
  shared(brokerId: number, others: readonly Candidate[]): number {
    const shared = this.#shared.get(brokerId)
    let sum = 0
    if (shared !== undefined) for (const other of others) sum += shared.get(other.brokerId) ?? 0
    return sum
  }
}

/** A broker without a rack is in one with all others that have none. */
export function rackOf({ rack }: Pick<BrokerImage, 'rack'>): string {
  return rack ?? ''
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
