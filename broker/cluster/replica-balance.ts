// Evens out how many replicas brokers have: whoever has at least two more than another one gives it one, by reassignments as
// any operator may ask for. A broker that is new has none, so it gets its share; where all have as many, give or take one,
// nothing moves. No partition gets fewer racks by it, and of a topic the broker with the most gives.

import { loadsOf } from './drain.ts'
import { type BrokerImage, type Image, isAlive, type PartitionImage, takingBrokers, targetReplicas, type TopicImage } from './image.ts'
import { rackOf } from './placement.ts'
import { isHanging, isMoving, type WantedReassignment } from './reassignment.ts'

/** What to move next. `movesMax`: partitions that move at a time, those among them that move already, unless they hang. */
export function planBalance(image: Image, { movesMax }: { readonly movesMax: number }): WantedReassignment[] {
  const moving = [...image.topics.values()].flatMap(({ partitions }) => partitions)
    .filter((partition) => isMoving(partition) && !isHanging(image, partition)).length
  const balance = new Balance(image)
  const moves: WantedReassignment[] = []
  while (moves.length < movesMax - moving) {
    const move = balance.next()
    if (move === undefined) break
    moves.push(move)
  }
  return moves
}

interface Placed {
  readonly topic: TopicImage
  readonly partition: PartitionImage
}

interface Choice {
  readonly placed: Placed
  readonly taker: number
  /** Replicas of all topics that the taker has. */
  readonly load: number
  /** How many more of the topic the giver has than the taker. */
  readonly surplus: number
}

class Balance {
  readonly #image: Image
  readonly #brokers: readonly BrokerImage[]
  readonly #loads: Map<number, number>
  /** By broker, those that may move: of one that nobody leads there is nothing to copy. */
  readonly #placed = new Map<number, Set<Placed>>()
  /** By topic and broker. */
  readonly #ofTopic = new Map<string, Map<number, number>>()

  constructor(image: Image) {
    this.#image = image
    this.#brokers = takingBrokers(image)
    const loads = loadsOf(image)
    this.#loads = new Map(this.#brokers.map(({ brokerId }) => [brokerId, loads.get(brokerId) ?? 0]))
    for (const { brokerId } of this.#brokers) this.#placed.set(brokerId, new Set())
    for (const topic of image.topics.values()) {
      const counts = new Map<number, number>()
      this.#ofTopic.set(topic.id, counts)
      for (const partition of topic.partitions) {
        for (const id of targetReplicas(partition)) counts.set(id, (counts.get(id) ?? 0) + 1)
        if (isMoving(partition) || !isAlive(image, partition.leader)) continue
        const placed = { topic, partition }
        for (const id of partition.replicas) this.#placed.get(id)?.add(placed)
      }
    }
  }

  /** Undefined: everybody has as many as any other, or nobody can give anything. */
  next(): WantedReassignment | undefined {
    const byLoad = [...this.#brokers].sort((one, other) => this.#load(one.brokerId) - this.#load(other.brokerId))
    const least = byLoad[0] === undefined ? 0 : this.#load(byLoad[0].brokerId)
    for (const { brokerId } of byLoad.reverse()) {
      if (this.#load(brokerId) < least + 2) return undefined
      const choice = this.#choose(brokerId)
      if (choice !== undefined) return this.#move(brokerId, choice)
    }
    return undefined
  }

  #load(brokerId: number): number {
    return this.#loads.get(brokerId)!
  }

  /** The partition whose replica a broker had better give, and to whom: in each rack, to the one that has the fewest. */
  #choose(giver: number): Choice | undefined {
    const racks = Map.groupBy(this.#brokers, rackOf)
    for (const brokers of racks.values()) brokers.sort((one, other) => this.#load(one.brokerId) - this.#load(other.brokerId))
    let best: Choice | undefined
    for (const placed of this.#placed.get(giver)!) {
      const { replicas } = placed.partition
      for (const [rack, brokers] of racks) {
        const taker = brokers.find(({ brokerId }) => !replicas.includes(brokerId))
        if (taker === undefined || !this.#keepsRacks(replicas, { giver, rack })) continue
        const choice = this.#choice(placed, { giver, taker: taker.brokerId })
        if (choice.load > this.#load(giver) - 2) continue
        if (best === undefined || choice.load < best.load || (choice.load === best.load && choice.surplus > best.surplus)) best = choice
      }
    }
    return best
  }

  #choice(placed: Placed, { giver, taker }: { readonly giver: number; readonly taker: number }): Choice {
    const counts = this.#ofTopic.get(placed.topic.id)!
    return { placed, taker, load: this.#load(taker), surplus: (counts.get(giver) ?? 0) - (counts.get(taker) ?? 0) }
  }

  #keepsRacks(replicas: readonly number[], { giver, rack }: { readonly giver: number; readonly rack: string }): boolean {
    const rackOfId = (id: number) => {
      const broker = this.#image.brokers.get(id)
      return broker === undefined ? undefined : rackOf(broker)
    }
    const kept = replicas.filter((id) => id !== giver).map(rackOfId)
    return !kept.includes(rack) || kept.includes(rackOfId(giver))
  }

  #move(giver: number, { placed, taker }: Choice): WantedReassignment {
    const { topic, partition } = placed
    for (const set of this.#placed.values()) set.delete(placed)
    for (const counts of [this.#loads, this.#ofTopic.get(topic.id)!]) {
      counts.set(giver, counts.get(giver)! - 1)
      counts.set(taker, (counts.get(taker) ?? 0) + 1)
    }
    const replicas = partition.replicas.map((id) => (id === giver ? taker : id))
    return { topic: topic.name, partition: partition.partition, replicas }
  }
}
