import type { Violation } from '../../sim/check/violation.ts'
import type { RunOptions } from '../../sim/options.ts'
import { type Listeners, simulate } from '../../sim/simulation.ts'

/** What is to be told of a run: small enough to be handed from one thread to another. */
export interface Outcome {
  readonly options: RunOptions
  readonly violations: readonly Violation[]
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly seconds: number
  readonly batches: { readonly sent: number; readonly acknowledged: number }
  readonly polls: number
  readonly seen: readonly (readonly [string, number])[]
}

export async function runOnce(options: RunOptions, listeners: Listeners = {}): Promise<Outcome> {
  const began = performance.now()
  const { violations, hash, events, virtualMs, history: { attempts, polls }, seen } = await simulate(options, listeners)
  const acknowledged = attempts.filter(({ outcome }) => outcome === 'ok').length
  return {
    options, violations, hash, events, virtualMs, seconds: (performance.now() - began) / 1000,
    batches: { sent: attempts.length, acknowledged }, polls: polls.length, seen: [...seen],
  }
}
