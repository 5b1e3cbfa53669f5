// What the controller moves by itself: everything off brokers that are being emptied (`broker.drain`), and replicas to
// brokers that have fewer, where that is wanted (`auto.replica.rebalance.enable`). A few at a time, so that what is written
// does not wait for a thousand copies, and one plan follows from the newest metadata, so it does not matter who made the
// last one.

import { DrainPlanner, type DrainPlan, type DrainProgress } from './drain.ts'
import { type Image, isDraining } from './image.ts'
import type { RulesOf } from './leadership.ts'
import type { MetadataLog } from './metadata-log.ts'
import type { PartitionChanged } from './metadata-record.ts'
import { planReassignment, type WantedReassignment } from './reassignment.ts'
import { planBalance } from './replica-balance.ts'

export interface ReplicaMoverOptions {
  readonly metadata: Pick<MetadataLog, 'image' | 'change'>
  readonly rulesOf: RulesOf
  /** Partitions that move off one broker at a time, or from those that have more. */
  readonly movesMax: number
  /** Milliseconds between two reports of one broker. */
  readonly reportEveryMs: number
  isRebalancing(): boolean
  onDraining(report: DrainReport): void
}

export interface DrainReport extends DrainProgress {
  readonly brokerId: number
  /** Partitions of which every other broker that may take one has a replica already. */
  readonly stuck: number
}

/** What follows from the image of this sequence. */
interface Plan {
  readonly sequence: number
  readonly drains: ReadonlyMap<number, DrainPlan>
  readonly records: readonly PartitionChanged[]
}

export class ReplicaMover {
  readonly #options: ReplicaMoverOptions
  /** The last one. To plan is to look at each partition, and nothing else follows from the same image. */
  #plan: Plan | undefined
  #reportedAt = -Infinity
  readonly #empty = new Set<number>()

  constructor(options: ReplicaMoverOptions) {
    this.#options = options
  }

  /** Begins what is next. `now`: monotonic milliseconds. Throws `TableError`. */
  async look(now: number): Promise<void> {
    const { metadata } = this.#options
    this.#report(now)
    if (this.#planOf(metadata.image).records.length === 0) return
    await metadata.change((image) => ({ records: this.#planOf(image).records, answer: undefined }))
  }

  #planOf(image: Image): Plan {
    const { movesMax, isRebalancing } = this.#options
    if (this.#plan?.sequence === image.sequence) return this.#plan
    const planner = new DrainPlanner(image)
    const drains = new Map(drainingBrokers(image).map((brokerId) => [brokerId, planner.plan(brokerId, { movesMax })]))
    const moves = [...drains.values()].flatMap((drain) => drain.moves)
    if (moves.length === 0 && isRebalancing()) moves.push(...planBalance(image, { movesMax }))
    return (this.#plan = { sequence: image.sequence, drains, records: this.#records(image, moves) })
  }

  #records(image: Image, moves: readonly WantedReassignment[]): PartitionChanged[] {
    const { rulesOf } = this.#options
    const records = new Map<string, PartitionChanged>()
    for (const move of moves) {
      const key = `${move.topic}/${move.partition}`
      // Two brokers that are emptied may have the same one: a plan follows from one image, and the second one waits for the next.
      if (records.has(key)) continue
      const record = planReassignment(image, move, { mayChangeFactor: false, rulesOf })
      if (record !== undefined && 'type' in record) records.set(key, record)
    }
    return [...records.values()]
  }

  #report(now: number): void {
    const { metadata: { image }, reportEveryMs, onDraining } = this.#options
    if (now - this.#reportedAt < reportEveryMs) return
    this.#reportedAt = now
    const { drains } = this.#planOf(image)
    for (const brokerId of this.#empty) if (!drains.has(brokerId)) this.#empty.delete(brokerId)
    for (const [brokerId, { progress, stuck }] of drains) {
      // That it is empty is said once.
      if (progress.left === 0 && this.#empty.has(brokerId)) continue
      if (progress.left === 0) this.#empty.add(brokerId)
      else this.#empty.delete(brokerId)
      onDraining({ brokerId, ...progress, stuck: stuck.length })
    }
  }
}

function drainingBrokers(image: Image): number[] {
  return [...image.brokers.keys()].filter((brokerId) => isDraining(image, brokerId))
}
