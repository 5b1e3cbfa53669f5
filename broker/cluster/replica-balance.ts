// Evens out how many replicas brokers have: whoever has at least two more than another one gives it one, by reassignments as
// any operator may ask for. A broker that is new has none, so it gets its share; where all have as many, give or take one,
// nothing moves. No partition gets fewer racks by it, and of those that were looked at a topic gives of which the giver has
// most more than the taker: all partitions are looked at only where those of a sample cannot move.

import { type BrokerImage, type Image, isAlive, takingBrokers, type TopicImage } from './image.ts'
import { PartitionSample, type Placed } from './partition-sample.ts'
import { rackOf } from './placement.ts'
import { isHanging, isMoving, type WantedReassignment } from './reassignment.ts'
import { loadsOf, loadsOfAll } from './replica-loads.ts'

/** What to move next. `movesMax`: partitions that move at a time, those among them that move already, unless they hang. */
export function planBalance(image: Image, { movesMax }: { readonly movesMax: number }): WantedReassignment[] {
  const moves: WantedReassignment[] = []
  const room = movesMax - movingOf(image)
  if (room <= 0) return moves
  const balance = new Balance(image)
  while (moves.length < room) {
    const move = balance.next()
    if (move === undefined) break
    moves.push(move)
  }
  return moves
}

function movingOf(image: Image): number {
  let moving = 0
  for (const { partitions } of image.topics.values()) {
    for (const partition of partitions) if (isMoving(partition) && !isHanging(image, partition)) moving++
  }
  return moving
}

/** Replicas of a broker that are looked at before one of them is chosen, where it has so many. */
const candidatesMin = 64

interface Choice {
  readonly placed: Placed
  readonly taker: number
  /** Replicas of all topics that the taker has. */
  readonly load: number
  /** How many more of the topic the giver has than the taker. */
  readonly surplus: number
}

interface Rack {
  readonly name: string
  /** The one with the fewest replicas comes first. */
  readonly brokers: BrokerImage[]
}

class Balance {
  /** The one with the fewest replicas comes first. */
  readonly #brokers: BrokerImage[]
  readonly #racks: readonly Rack[]
  /** Of all brokers, those that take nothing too. */
  readonly #rackOf: ReadonlyMap<number, string>
  readonly #loads: Map<number, number>
  /** Those that may move: of one that nobody leads there is nothing to copy. */
  readonly #sample: PartitionSample
  readonly #moved = new Set<Placed>()
  /** Brokers of which nothing could go anywhere. It is not looked for again: what changes that is for the next plan. */
  readonly #dry = new Set<number>()
  /** By topic and broker, of the topics that were asked for. */
  readonly #ofTopic = new Map<TopicImage, Map<number, number>>()

  constructor(image: Image) {
    this.#loads = loadsOf(image)
    this.#brokers = [...takingBrokers(image)]
    this.#racks = [...Map.groupBy(this.#brokers, rackOf)].map(([name, brokers]) => ({ name, brokers }))
    this.#rackOf = new Map([...image.brokers.values()].map((broker) => [broker.brokerId, rackOf(broker)]))
    this.#sample = new PartitionSample(image, (partition) => !isMoving(partition) && isAlive(image, partition.leader))
  }

  /** Undefined: everybody has as many as any other, or nobody can give anything. */
  next(): WantedReassignment | undefined {
    this.#sort()
    const least = this.#brokers[0] === undefined ? 0 : this.#load(this.#brokers[0].brokerId)
    for (const { brokerId } of this.#brokers.toReversed()) {
      if (this.#load(brokerId) < least + 2) return undefined
      if (this.#dry.has(brokerId)) continue
      const choice = this.#choose(brokerId)
      if (choice !== undefined) return this.#move(brokerId, choice)
      this.#dry.add(brokerId)
    }
    return undefined
  }

  #load(brokerId: number): number {
    return this.#loads.get(brokerId) ?? 0
  }

  #sort(): void {
    const byLoad = (one: BrokerImage, other: BrokerImage) => this.#load(one.brokerId) - this.#load(other.brokerId)
    for (const brokers of [this.#brokers, ...this.#racks.map((rack) => rack.brokers)]) brokers.sort(byLoad)
  }

  /** The partition whose replica a broker had better give, and to whom: in each rack, to the one that has the fewest. */
  #choose(giver: number): Choice | undefined {
    const racks = this.#racks.filter(({ brokers }) => this.#load(brokers[0]!.brokerId) <= this.#load(giver) - 2)
    let best: Choice | undefined
    let seen = 0
    do {
      for (const placed of this.#sample.of(giver).slice(seen)) {
        seen++
        if (!this.#moved.has(placed)) best = this.#better(best, placed, { giver, racks })
      }
    } while ((best === undefined || seen < candidatesMin) && this.#sample.grow())
    return best
  }

  #better(
    before: Choice | undefined, placed: Placed, { giver, racks }: { readonly giver: number; readonly racks: readonly Rack[] },
  ): Choice | undefined {
    let best = before
    const { replicas } = placed.partition
    for (const { name, brokers } of racks) {
      const taker = brokers.find(({ brokerId }) => !replicas.includes(brokerId))?.brokerId
      if (taker === undefined || !this.#keepsRacks(replicas, { giver, rack: name })) continue
      const load = this.#load(taker)
      if (load > (best?.load ?? this.#load(giver) - 2)) continue
      const surplus = this.#surplus(placed.topic, { giver, taker })
      if (best === undefined || load < best.load || surplus > best.surplus) best = { placed, taker, load, surplus }
    }
    return best
  }

  #surplus(topic: TopicImage, { giver, taker }: { readonly giver: number; readonly taker: number }): number {
    let counts = this.#ofTopic.get(topic)
    if (counts === undefined) this.#ofTopic.set(topic, (counts = loadsOfAll([topic])))
    return (counts.get(giver) ?? 0) - (counts.get(taker) ?? 0)
  }

  #keepsRacks(replicas: readonly number[], { giver, rack }: { readonly giver: number; readonly rack: string }): boolean {
    const left = this.#rackOf.get(giver)
    let isThere = false
    for (const id of replicas) {
      const other = id === giver ? undefined : this.#rackOf.get(id)
      if (other === left) return true
      if (other === rack) isThere = true
    }
    return rack === left || !isThere
  }

  #move(giver: number, { placed, taker }: Choice): WantedReassignment {
    const { topic, partition } = placed
    this.#moved.add(placed)
    for (const counts of [this.#loads, this.#ofTopic.get(topic)!]) {
      counts.set(giver, counts.get(giver)! - 1)
      counts.set(taker, (counts.get(taker) ?? 0) + 1)
    }
    const replicas = partition.replicas.map((id) => (id === giver ? taker : id))
    return { topic: topic.name, partition: partition.partition, replicas }
  }
}
