// When a partition's part in the object store is looked at. A broker has thousands of partitions, and what all of them ask of
// the table at once is more than its requests have room for: whatever else the broker asks then is refused with it. So each
// partition has its own phase, which follows from its name, and of those that are due a few have their turn at a time.

import { crc32c } from '../protocol/crc32c.ts'
import { Budget } from '../runtime/budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { TierPartitionId } from './manifest-items.ts'
import type { TieredPartition } from './tiered-partition.ts'

export interface TierUpkeepLimits {
  /** Milliseconds between two ticks of a partition, and between two reconciliations. */
  readonly tickEveryMs: number
  readonly reconcileEveryMs: number
  /** Of all partitions, at a time. */
  readonly ticksMax: number
  readonly reconcilesMax: number
  /** Passes of compaction: each has a map of keys and a new object in memory. */
  readonly compactionsMax: number
}

export interface TierTerm {
  readonly tiered: Pick<TieredPartition, 'tick' | 'reconcile' | 'mayCompact' | 'compact'>
  readonly isFollower: boolean
}

/** What the partitions of a broker share. */
export class TierUpkeep {
  readonly #clock: Clock
  readonly #limits: TierUpkeepLimits
  readonly #ticks: Budget
  readonly #reconciles: Budget
  readonly #compactions: Budget

  constructor(clock: Clock, limits: TierUpkeepLimits) {
    this.#clock = clock
    this.#limits = limits
    // One of each partition waits at most.
    this.#ticks = new Budget({ units: limits.ticksMax, waitingMax: Infinity })
    this.#reconciles = new Budget({ units: limits.reconcilesMax, waitingMax: Infinity })
    this.#compactions = new Budget({ units: limits.compactionsMax, waitingMax: Infinity })
  }

  /** For one partition, in all of its terms. */
  of(partition: TierPartitionId): PartitionUpkeep {
    return new PartitionUpkeep(partition, {
      clock: this.#clock, limits: this.#limits, ticks: this.#ticks, reconciles: this.#reconciles, compactions: this.#compactions,
    })
  }
}

interface Shared {
  readonly clock: Clock
  readonly limits: TierUpkeepLimits
  readonly ticks: Budget
  readonly reconciles: Budget
  readonly compactions: Budget
}

export class PartitionUpkeep {
  readonly #shared: Shared
  /** A fraction of each period. */
  readonly #phase: number
  #term: TierTerm | undefined
  /** Monotonic. */
  #tickAt = -Infinity
  #isTicking = false
  #isReconciling = false
  #isCompacting = false
  /** Of the wall clock, which all brokers share: whoever leads when it changes reconciles. */
  #period: number

  constructor({ topicId, partition }: TierPartitionId, shared: Shared) {
    this.#shared = shared
    this.#phase = crc32c(Buffer.from(`${topicId}-${partition}`)) / 2 ** 32
    this.#period = this.#periodNow()
  }

  /** The regular look: begins what is due, and waits for none of it. */
  look(term: TierTerm, { isClockTrusted }: { readonly isClockTrusted: boolean }): void {
    if (term.tiered !== this.#term?.tiered) this.#begin(term)
    if (!this.#isTicking && this.#shared.clock.monotonic() >= this.#tickAt) this.#tick(term)
    if (isClockTrusted && !this.#isCompacting && term.tiered.mayCompact) this.#compact(term)
    const period = this.#periodNow()
    if (!isClockTrusted || this.#isReconciling || period === this.#period) return
    this.#period = period
    if (!term.isFollower) this.#reconcile(term)
  }

  /** A leader claims what it leads at once; what a follower wants to see can wait for its phase. */
  #begin(term: TierTerm): void {
    this.#term = term
    this.#isTicking = false
    this.#tickAt = term.isFollower ? this.#nextTick() : -Infinity
  }

  #tick(term: TierTerm): void {
    const { clock, ticks } = this.#shared
    this.#isTicking = true
    void ticks.use({ units: 1 }, () => term.tiered.tick(clock.now())).then(() => {
      if (term.tiered !== this.#term?.tiered) return
      this.#isTicking = false
      this.#tickAt = this.#nextTick()
    })
  }

  #reconcile(term: TierTerm): void {
    const { clock, reconciles } = this.#shared
    this.#isReconciling = true
    void reconciles.use({ units: 1 }, () => term.tiered.reconcile(clock.now())).then(() => {
      this.#isReconciling = false
    })
  }

  /** Whoever has waited for its turn looks again: the term may be over by then. */
  #compact(term: TierTerm): void {
    this.#isCompacting = true
    void this.#shared.compactions.use({ units: 1 }, () => term.tiered.compact()).then(() => {
      this.#isCompacting = false
    })
  }

  #nextTick(): number {
    const { clock, limits: { tickEveryMs } } = this.#shared
    const periods = clock.monotonic() / tickEveryMs - this.#phase
    return (Math.floor(periods) + 1 + this.#phase) * tickEveryMs
  }

  #periodNow(): number {
    return Math.floor(this.#shared.clock.now() / this.#shared.limits.reconcileEveryMs - this.#phase)
  }
}
