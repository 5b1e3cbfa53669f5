import type { AnyRule } from '../broker/runtime/rules.ts'
import { SeededRandom } from '../test/support/seeded-random.ts'
import { chosenFaults, type FaultName } from './faults.ts'

export type Mode = 'safety' | 'liveness'

/** Everything that a run is made of; printed with a failure, and enough to have it again. */
export interface RunOptions {
  readonly seed: number
  readonly mode: Mode
  readonly minutes: number
  readonly brokers: number
  readonly faults: readonly FaultName[]
  /** Milliseconds between two faults, about. */
  readonly faultEveryMs: number
  readonly partitions: number
  /** Milliseconds of a producer's pause, about. */
  readonly thinkMs: number
  readonly inFlightMax: number
  readonly segmentBytes: number
  readonly fillerBytesMax: number
  /** `replicated`: brokers acknowledge what they have not synced. */
  readonly durability: 'fsync' | 'replicated'
  /** The one broker that may lose what it acknowledged: one loss is what a replicated partition survives. 0: none. */
  readonly fragile: number
  /** Milliseconds between two orders of an operator who moves partitions; 0: nobody does. */
  readonly moveMs: number
  /** Clients with transactions; without them a seed is as much as it was. */
  readonly hasTransactions: boolean
  /** A compacted topic: on local disks alone, or in the object store as well. */
  readonly compacted: 'none' | 'local' | 'tiered'
  /** Rules that the brokers do not keep: each is to be noticed. */
  readonly without: readonly AnyRule[]
}

export interface GivenOptions {
  readonly seed: number
  readonly mode?: Mode
  readonly minutes?: number
  readonly brokers?: number
  /** Instead of those that the seed chooses. */
  readonly faults?: readonly FaultName[]
  readonly without?: readonly AnyRule[]
}

/** Swarm testing: each seed has some of the faults and a load of its own, so that no fault hides another one. */
export function optionsOf({ seed, mode = 'safety', minutes = 2, brokers = 1, faults, without = [] }: GivenOptions): RunOptions {
  // Each with dice of its own, so that a new fault does not change the load of every seed.
  const [dice, faultDice, clusterDice, loadDice] = [diceOf(seed), diceOf(seed + 2 ** 30), diceOf(seed + 2 ** 29), diceOf(seed + 2 ** 28)]
  const isReplicated = brokers >= 3
  const share = faultDice.pick([0.1, 0.3, 0.6])
  const chosen = chosenFaults.filter(() => faultDice.chance(share))
  return {
    seed, mode, minutes, brokers,
    faults: faults ?? chosen,
    faultEveryMs: faultDice.pick([2_000, 5_000, 10_000]),
    partitions: dice.between(1, 3),
    thinkMs: dice.pick([60, 200, 600]),
    inFlightMax: dice.between(1, 5),
    segmentBytes: dice.pick([4_096, 16_384, 65_536]),
    fillerBytesMax: dice.pick([20, 200, 1_500]),
    // Where nobody has a copy, what was acknowledged has to be on this disk.
    durability: isReplicated && clusterDice.chance(0.4) ? 'replicated' : 'fsync',
    fragile: isReplicated ? clusterDice.between(1, brokers) : 0,
    moveMs: brokers > 1 ? clusterDice.pick([0, 0, 200, 1_500]) : 0,
    hasTransactions: loadDice.chance(0.5),
    compacted: loadDice.pick(['none', 'local', 'tiered']),
    without,
  }
}

/** The first draws of neighbouring seeds are alike. */
function diceOf(seed: number): SeededRandom {
  const dice = new SeededRandom(seed)
  for (let draw = 0; draw < 8; draw++) dice.fraction()
  return dice
}
