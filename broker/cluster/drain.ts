// Takes everything from a broker, so that it can be switched off: each of its replicas goes to another broker, by reassignments
// as any operator may ask for. The controller plans again and again, a few at a time, until nothing is left (replica-mover.ts).
//
// A replica takes the place of the one that leaves, in the order of leaders too, and goes to a rack in which the partition
// has none yet, where there is one; of those to the broker with the fewest replicas.

import { type BrokerImage, type Image, isAlive, type PartitionImage, takingBrokers, targetReplicas } from './image.ts'
import { leastBy } from './least-by.ts'
import { rackOf } from './placement.ts'
import { isHanging, lostReplicas, type WantedReassignment } from './reassignment.ts'
import { loadsOf } from './replica-loads.ts'

export interface DrainPlan {
  readonly moves: readonly WantedReassignment[]
  /** Partitions that have a replica on every broker that may take one: nobody is left for another. */
  readonly stuck: readonly { readonly topic: string; readonly partition: number }[]
  /** As it is before these moves. */
  readonly progress: DrainProgress
}

export interface DrainProgress {
  /** Replicas that the broker still has, those that are on their way out among them. */
  readonly left: number
  readonly moving: number
  /** Those that do not get on: nobody leads them, so there is nothing to copy, or a broker that their move waits for is away. */
  readonly hanging: number
  readonly leads: number
}

/** Plans from one image what each of several brokers gives. */
export class DrainPlanner {
  readonly #image: Image
  readonly #taking: readonly BrokerImage[]
  /** Replicas of each broker, with those that were planned so far; counted when the first one is. */
  #loads: Map<number, number> | undefined

  constructor(image: Image) {
    this.#image = image
    this.#taking = takingBrokers(image)
  }

  /**
   * What to move next. `movesMax`: partitions that are on their way out of this broker at a time, those that are already among
   * them, unless they hang. Where it is the broker they go to that is away, they go to another one.
   */
  plan(brokerId: number, { movesMax }: { readonly movesMax: number }): DrainPlan {
    const takers = this.#taking.filter((one) => one.brokerId !== brokerId)
    const progress = { left: 0, moving: 0, hanging: 0, leads: 0 }
    const stuck: { topic: string; partition: number }[] = []
    for (const { name: topic, partition } of placedOn(this.#image, brokerId)) {
      progress.left++
      if (partition.leader === brokerId) progress.leads++
      if (!isAlive(this.#image, partition.leader) || isHanging(this.#image, partition)) progress.hanging++
      else if (!targetReplicas(partition).includes(brokerId)) progress.moving++
      if (this.#isStuck(partition, { brokerId, takers })) stuck.push({ topic, partition: partition.partition })
    }
    return { moves: this.#moves({ brokerId, takers }, movesMax - progress.moving), stuck, progress }
  }

  #isStuck(partition: PartitionImage, { brokerId, takers }: Drained): boolean {
    const replicas = targetReplicas(partition)
    if (replicas.length <= takers.length || !replicas.includes(brokerId) || !isAlive(this.#image, partition.leader)) return false
    return takers.every((one) => replicas.includes(one.brokerId))
  }

  #moves(drained: Drained, room: number): WantedReassignment[] {
    const moves: WantedReassignment[] = []
    if (room <= 0) return moves
    for (const { name: topic, partition } of placedOn(this.#image, drained.brokerId)) {
      const replicas = isAlive(this.#image, partition.leader) ? this.#replaced(partition, drained) : undefined
      if (replicas !== undefined) moves.push({ topic, partition: partition.partition, replicas })
      if (moves.length >= room) break
    }
    return moves
  }

  /** With others in place of the broker, and of those that are waited for in vain; undefined where nothing would be other than now. */
  #replaced(partition: PartitionImage, { brokerId, takers }: Drained): readonly number[] | undefined {
    const before = targetReplicas(partition)
    const lost = lostReplicas(this.#image, partition).filter((id) => id !== brokerId)
    let replicas = before
    for (const gone of before.includes(brokerId) ? [brokerId, ...lost] : lost) {
      const taker = this.#takerOf(gone, { replicas, takers })
      // Whoever is away is waited for then.
      if (taker === undefined) break
      this.#loads!.set(taker, (this.#loads!.get(taker) ?? 0) + 1)
      replicas = replicas.map((id) => (id === gone ? taker : id))
    }
    return replicas === before ? undefined : replicas
  }

  #takerOf(gone: number, { replicas, takers }: { readonly replicas: readonly number[] } & Pick<Drained, 'takers'>): number | undefined {
    const free = takers.filter(({ brokerId }) => !replicas.includes(brokerId))
    if (free.length === 0) return undefined
    const loads = (this.#loads ??= loadsOf(this.#image))
    const racks = replicas.filter((id) => id !== gone).map((id) => {
      const broker = this.#image.brokers.get(id)
      return broker === undefined ? undefined : rackOf(broker)
    })
    const inRack = (rack: string) => racks.filter((other) => other === rack).length
    return leastBy(free, (one) => inRack(rackOf(one)), (one) => loads.get(one.brokerId) ?? 0).brokerId
  }
}

interface Drained {
  readonly brokerId: number
  /** Those that may take what it has. */
  readonly takers: readonly BrokerImage[]
}

function* placedOn(image: Image, brokerId: number): Generator<{ readonly name: string; readonly partition: PartitionImage }> {
  for (const { name, partitions } of image.topics.values()) {
    for (const partition of partitions) if (partition.replicas.includes(brokerId)) yield { name, partition }
  }
}
