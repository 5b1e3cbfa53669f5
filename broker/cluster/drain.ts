// Takes everything from a broker, so that it can be switched off: each of its replicas goes to another broker, by reassignments
// as any operator may ask for. The controller plans again and again, a few at a time, until nothing is left (replica-mover.ts).
//
// A replica takes the place of the one that leaves, in the order of leaders too, and goes to a rack in which the partition
// has none yet, where there is one; of those to the broker with the fewest replicas.

import { type Image, type PartitionImage, takingBrokers, targetReplicas } from './image.ts'
import { leastBy } from './least-by.ts'
import { rackOf } from './placement.ts'
import type { WantedReassignment } from './reassignment.ts'

export interface DrainPlan {
  readonly moves: readonly WantedReassignment[]
  /** Partitions that have a replica on every broker that may take one: nobody is left for another. */
  readonly stuck: readonly { readonly topic: string; readonly partition: number }[]
}

export interface DrainProgress {
  /** Replicas that the broker still has, those that are on their way out among them. */
  readonly left: number
  readonly moving: number
  readonly leads: number
}

/** What to move next. `movesMax`: partitions that are on their way out of this broker at a time, those that are already among them. */
export function planDrain(image: Image, brokerId: number, { movesMax }: { readonly movesMax: number }): DrainPlan {
  const loads = loadsOf(image)
  const moves: WantedReassignment[] = []
  const stuck: { topic: string; partition: number }[] = []
  const room = movesMax - drainProgress(image, brokerId).moving
  for (const { name: topic, partition } of placedOn(image, brokerId)) {
    const before = targetReplicas(partition)
    if (!before.includes(brokerId)) continue
    const taker = takerOf(image, { replicas: before, brokerId, loads })
    if (taker === undefined) stuck.push({ topic, partition: partition.partition })
    else if (moves.length < room) {
      loads.set(taker, (loads.get(taker) ?? 0) + 1)
      moves.push({ topic, partition: partition.partition, replicas: before.map((id) => (id === brokerId ? taker : id)) })
    }
  }
  return { moves, stuck }
}

export function drainProgress(image: Image, brokerId: number): DrainProgress {
  const partitions = [...placedOn(image, brokerId)].map(({ partition }) => partition)
  return {
    left: partitions.length,
    moving: partitions.filter((partition) => !targetReplicas(partition).includes(brokerId)).length,
    leads: partitions.filter(({ leader }) => leader === brokerId).length,
  }
}

function* placedOn(image: Image, brokerId: number): Generator<{ readonly name: string; readonly partition: PartitionImage }> {
  for (const { name, partitions } of image.topics.values()) {
    for (const partition of partitions) if (partition.replicas.includes(brokerId)) yield { name, partition }
  }
}

function takerOf(
  image: Image, of: { readonly replicas: readonly number[]; readonly brokerId: number; readonly loads: ReadonlyMap<number, number> },
): number | undefined {
  const { replicas, brokerId, loads } = of
  const takers = takingBrokers(image).filter((one) => one.brokerId !== brokerId && !replicas.includes(one.brokerId))
  if (takers.length === 0) return undefined
  const racks = replicas.filter((id) => id !== brokerId).map((id) => {
    const broker = image.brokers.get(id)
    return broker === undefined ? undefined : rackOf(broker)
  })
  const inRack = (rack: string) => racks.filter((other) => other === rack).length
  return leastBy(takers, (one) => inRack(rackOf(one)), (one) => loads.get(one.brokerId) ?? 0).brokerId
}

/** How many replicas each broker has, or is to have; those that have none are not in it. */
export function loadsOf(image: Image): Map<number, number> {
  const loads = new Map<number, number>()
  for (const { partitions } of image.topics.values()) {
    for (const id of partitions.flatMap(targetReplicas)) loads.set(id, (loads.get(id) ?? 0) + 1)
  }
  return loads
}
