// Goes through every order of events within the bounds, the short ones first, and each state once. So the first violation
// that is met is one of the shortest.

import { allRules, type Rules } from '../broker/runtime/rules.ts'
import type { Bounds } from './bounds.ts'
import type { Event } from './event.ts'
import { eventsOf, isWithin } from './events.ts'
import { type Invariant, invariants, shownIn } from './invariants.ts'
import { keyOf } from './key.ts'
import { assume } from './replica.ts'
import { step } from './step.ts'
import { emptyWorld, type World } from './world.ts'

export interface Exploration {
  readonly states: number
  /** Events of the longest way that had to be gone. */
  readonly depth: number
  /** Whether there is nothing more within the bounds. */
  readonly isComplete: boolean
  readonly violation: Violation | undefined
  /** Kinds of events that led to a new state: an event that never happens shows nothing. */
  readonly kinds: ReadonlySet<Event['kind']>
}

export interface Violation {
  readonly invariant: string
  readonly about: string
  /** Every event of a shortest way to it, and what it led to. */
  readonly steps: readonly { readonly event: Event; readonly world: World }[]
}

export interface ExploreOptions {
  readonly bounds: Bounds
  readonly rules?: Rules
  readonly checks?: Readonly<Record<string, Invariant>>
}

interface Reached {
  readonly world: World
  /** Index of the state. */
  readonly state: number
}

export function firstWorld(rules: Rules): World {
  const world = emptyWorld()
  return { ...world, brokers: world.brokers.map((broker) => assume(world, broker, rules)) }
}

export function explore({ bounds, rules = allRules, checks = invariants }: ExploreOptions): Exploration {
  const first = bounds.from.reduce((world, event) => worldAfter(world, event, { bounds, rules })!, firstWorld(rules))
  const seen = new Set([keyOf(first)])
  const ofSteps = Object.entries(checks).filter(([, { of }]) => of === 'step')
  const ofWorlds = Object.entries(checks).filter(([, { of }]) => of === 'world')
  // By state: the one before it, and the event that led on from there.
  const parents = [-1]
  const taken: (Event | undefined)[] = [undefined]
  const kinds = new Set<Event['kind']>(bounds.from.map(({ kind }) => kind))
  let reached: Reached[] = [{ world: first, state: 0 }]
  for (let depth = 0; ; depth++) {
    const further: Reached[] = []
    for (const { world: before, state } of reached) {
      for (const event of eventsOf(before, bounds)) {
        const world = worldAfter(before, event, { bounds, rules })
        if (world === undefined) continue
        const states = seen.size
        const isNew = seen.add(keyOf(world)).size > states
        const broken = brokenBy(ofSteps, world, before) ?? (isNew ? brokenBy(ofWorlds, world, before) : undefined)
        if (broken !== undefined) {
          const steps = retrace([...wayTo(state), event], { bounds, rules })
          return { states, depth: depth + 1, isComplete: false, violation: { ...broken, steps }, kinds }
        }
        if (!isNew) continue
        parents.push(state)
        kinds.add(event.kind)
        taken.push(event)
        further.push({ world, state: states })
      }
      if (seen.size >= bounds.statesMax) return { states: seen.size, depth, isComplete: false, violation: undefined, kinds }
    }
    if (further.length === 0) return { states: seen.size, depth, isComplete: true, violation: undefined, kinds }
    reached = further
  }

  function wayTo(state: number): Event[] {
    const way: Event[] = []
    for (let at = state; at > 0; at = parents[at]!) way.push(taken[at]!)
    return [...bounds.from, ...way.reverse()]
  }
}

function retrace(way: readonly Event[], within: { readonly bounds: Bounds; readonly rules: Rules }) {
  let world = firstWorld(within.rules)
  return way.map((event) => {
    world = worldAfter(world, event, within)!
    return { event, world }
  })
}

function brokenBy(checks: readonly (readonly [string, Invariant])[], world: World, before: World) {
  for (const [invariant, { check }] of checks) {
    const about = check(world, before)
    if (about !== undefined) return { invariant, about }
  }
  return undefined
}

/** Undefined where the event cannot happen, or leads out of the bounds. */
export function worldAfter(
  world: World, event: Event, { bounds, rules }: { readonly bounds: Bounds; readonly rules: Rules },
): World | undefined {
  const after = step(world, event, rules)
  return after === undefined || !isWithin(after, bounds) ? undefined : shownIn(after)
}
