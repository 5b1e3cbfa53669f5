// What the controller moves by itself: everything off brokers that are being emptied (`broker.drain`), and replicas to
// brokers that have fewer, where that is wanted (`auto.replica.rebalance.enable`). A few at a time, so that what is written
// does not wait for a thousand copies, and one plan follows from the newest metadata, so it does not matter who made the
// last one.

import { type DrainProgress, planDrain } from './drain.ts'
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

export class ReplicaMover {
  readonly #options: ReplicaMoverOptions
  /** Of the metadata that gave nothing to do. */
  #restingAt = -1
  #reportedAt = -Infinity
  readonly #empty = new Set<number>()

  constructor(options: ReplicaMoverOptions) {
    this.#options = options
  }

  /** Begins what is next. `now`: monotonic milliseconds. Throws `TableError`. */
  async look(now: number): Promise<void> {
    const { metadata } = this.#options
    this.#report(now)
    if (metadata.image.sequence === this.#restingAt) return
    if (this.#plan(metadata.image).length === 0) {
      this.#restingAt = metadata.image.sequence
      return
    }
    await metadata.change((image) => ({ records: this.#plan(image), answer: undefined }))
  }

  #plan(image: Image): PartitionChanged[] {
    const { movesMax, isRebalancing } = this.#options
    const draining = drainingBrokers(image)
    const moves = draining.flatMap((brokerId) => planDrain(image, brokerId, { movesMax }).moves)
    if (moves.length === 0 && isRebalancing()) moves.push(...planBalance(image, { movesMax }))
    return this.#records(image, moves)
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
    const { metadata: { image }, reportEveryMs, movesMax, onDraining } = this.#options
    if (now - this.#reportedAt < reportEveryMs) return
    this.#reportedAt = now
    const draining = drainingBrokers(image)
    for (const brokerId of this.#empty) if (!draining.includes(brokerId)) this.#empty.delete(brokerId)
    for (const brokerId of draining) {
      const { progress, stuck } = planDrain(image, brokerId, { movesMax })
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
