import { strict as assert } from 'node:assert'
import type { Uuid } from '../../../runtime/random.ts'
import type { Holder } from './holder.ts'

/** Chains that are looked for in one go. Enough for any change of a large group; whatever is left waits for the next. */
const chainsMax = 10_000

interface Step {
  readonly from: Holder
  readonly topicId: Uuid
}

/** Hands partitions over, along chains, until no member can be relieved by one that has at least two less. */
export function balance(holders: readonly Holder[]): void {
  const subscribers = subscribersOf(holders)
  // Who could not be relieved, as things stood. A hand-over may open new ways, so in the end everybody is tried again.
  const settled = new Set<Holder>()
  let hasMoved = false
  for (let chains = 0; chains < chainsMax; chains++) {
    const fullest = fullestOf(holders, settled)
    if (fullest === undefined) {
      if (!hasMoved) return
      settled.clear()
      hasMoved = false
      continue
    }
    const chain = chainFrom(fullest, subscribers)
    if (chain === undefined) settled.add(fullest)
    else {
      handOver(chain)
      hasMoved = true
    }
  }
}

function subscribersOf(holders: readonly Holder[]): Map<Uuid, Holder[]> {
  const subscribers = new Map<Uuid, Holder[]>()
  for (const holder of holders) {
    for (const topicId of holder.topicIds) {
      const known = subscribers.get(topicId)
      if (known === undefined) subscribers.set(topicId, [holder])
      else known.push(holder)
    }
  }
  return subscribers
}

function fullestOf(holders: readonly Holder[], settled: ReadonlySet<Holder>): Holder | undefined {
  let fullest: Holder | undefined
  for (const holder of holders) {
    if (!settled.has(holder) && (fullest === undefined || holder.count > fullest.count)) fullest = holder
  }
  return fullest
}

interface Chain {
  readonly steps: readonly Step[]
  readonly end: Holder
}

/** The shortest way from a member to the emptiest one that it can reach, if that has at least two partitions less. */
function chainFrom(start: Holder, subscribers: ReadonlyMap<Uuid, readonly Holder[]>): Chain | undefined {
  const cameBy = new Map<Holder, Step | undefined>([[start, undefined]])
  const seenTopics = new Set<Uuid>()
  let best: Holder | undefined
  // A map keeps the order in which it was filled, so this walks the breadth first.
  for (const [holder] of cameBy) {
    for (const topicId of holder.heldTopics()) {
      if (seenTopics.has(topicId)) continue
      seenTopics.add(topicId)
      for (const next of subscribers.get(topicId)!) {
        if (cameBy.has(next)) continue
        cameBy.set(next, { from: holder, topicId })
        if (next.count <= start.count - 2 && (best === undefined || next.count < best.count)) best = next
      }
    }
  }
  if (best === undefined) return undefined
  const steps: Step[] = []
  for (let step = cameBy.get(best); step !== undefined; step = cameBy.get(step.from)) steps.unshift(step)
  assert(steps[0]?.from === start, 'a chain begins where it was looked for')
  return { steps, end: best }
}

/** From the far end, so that nobody gives on what it has only just got. */
function handOver({ steps, end }: Chain): void {
  let to = end
  for (const { from, topicId } of [...steps].reverse()) {
    to.take(topicId, from.give(topicId))
    to = from
  }
}
