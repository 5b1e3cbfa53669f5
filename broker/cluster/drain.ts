// Takes everything from a broker, so that it can be switched off: each of its replicas goes to another broker, by reassignments
// as any operator may ask for. The controller plans again and again, a few at a time, until nothing is left (replica-mover.ts).
//
// A replica takes the place of the one that leaves, in the order of leaders too, and goes to a rack in which the partition
// has none yet, where there is one; of those to the broker with the fewest replicas.

import { type BrokerImage, type Image, isAlive, type PartitionImage, takingBrokers, targetReplicas } from './image.ts'
import { leastBy } from './least-by.ts'
import { rackOf } from './placement.ts'
import { isHanging, lostReplicas, type WantedReassignment } from './reassignment.ts'

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

/**
 * What to move next. `movesMax`: partitions that are on their way out of this broker at a time, those that are already among
 * them, unless they hang. Where it is the broker they go to that is away, they go to another one.
 */
export function planDrain(image: Image, brokerId: number, { movesMax }: { readonly movesMax: number }): DrainPlan {
  const takers = takingBrokers(image).filter((one) => one.brokerId !== brokerId)
  const progress = { left: 0, moving: 0, hanging: 0, leads: 0 }
  const stuck: { topic: string; partition: number }[] = []
  const open: Open[] = []
  for (const { name: topic, partition } of placedOn(image, brokerId)) {
    progress.left++
    if (partition.leader === brokerId) progress.leads++
    const replicas = targetReplicas(partition)
    const hasLeader = isAlive(image, partition.leader)
    if (!hasLeader || isHanging(image, partition)) progress.hanging++
    else if (!replicas.includes(brokerId)) progress.moving++
    if (!hasLeader) continue
    const lost = lostReplicas(image, partition)
    if (!replicas.includes(brokerId)) {
      if (lost.length > 0) open.push({ topic, partition: partition.partition, replicas, leaving: lost })
    } else if (takers.every((one) => replicas.includes(one.brokerId))) stuck.push({ topic, partition: partition.partition })
    else open.push({ topic, partition: partition.partition, replicas, leaving: [brokerId, ...lost.filter((id) => id !== brokerId)] })
  }
  return { moves: movesOf(image, open, { takers, room: movesMax - progress.moving }), stuck, progress }
}

/** A partition that may move. */
interface Open {
  readonly topic: string
  readonly partition: number
  readonly replicas: readonly number[]
  /** Those of the replicas that others are to take the place of. */
  readonly leaving: readonly number[]
}

interface Takers {
  readonly takers: readonly BrokerImage[]
  readonly room: number
}

function movesOf(image: Image, open: readonly Open[], { takers, room }: Takers): WantedReassignment[] {
  const loads = loadsOf(image)
  const moves: WantedReassignment[] = []
  for (const { topic, partition, replicas: before, leaving } of open) {
    if (moves.length >= room) break
    let replicas = before
    for (const gone of leaving) {
      const taker = takerOf(image, gone, { replicas, takers, loads })
      // Nobody is left for it: one that is away is waited for.
      if (taker === undefined) break
      loads.set(taker, (loads.get(taker) ?? 0) + 1)
      replicas = replicas.map((id) => (id === gone ? taker : id))
    }
    if (replicas !== before) moves.push({ topic, partition, replicas })
  }
  return moves
}

function* placedOn(image: Image, brokerId: number): Generator<{ readonly name: string; readonly partition: PartitionImage }> {
  for (const { name, partitions } of image.topics.values()) {
    for (const partition of partitions) if (partition.replicas.includes(brokerId)) yield { name, partition }
  }
}

interface Takings {
  readonly replicas: readonly number[]
  readonly takers: readonly BrokerImage[]
  readonly loads: ReadonlyMap<number, number>
}

function takerOf(image: Image, gone: number, { replicas, takers, loads }: Takings): number | undefined {
  const free = takers.filter(({ brokerId }) => !replicas.includes(brokerId))
  if (free.length === 0) return undefined
  const racks = replicas.filter((id) => id !== gone).map((id) => {
    const broker = image.brokers.get(id)
    return broker === undefined ? undefined : rackOf(broker)
  })
  const inRack = (rack: string) => racks.filter((other) => other === rack).length
  return leastBy(free, (one) => inRack(rackOf(one)), (one) => loads.get(one.brokerId) ?? 0).brokerId
}

/** How many replicas each broker has, or is to have; those that have none are not in it. */
export function loadsOf(image: Image): Map<number, number> {
  const loads = new Map<number, number>()
  for (const { partitions } of image.topics.values()) {
    for (const id of partitions.flatMap(targetReplicas)) loads.set(id, (loads.get(id) ?? 0) + 1)
  }
  return loads
}
