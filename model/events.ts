import type { Bounds } from './bounds.ts'
import type { Event } from './event.ts'
import { partitionOf } from './metadata.ts'
import type { Broker, World } from './world.ts'

/** All that may happen next within the bounds; some of it turns out to change nothing. */
export function eventsOf(world: World, bounds: Bounds): Event[] {
  const { spent } = world
  const events: Event[] = []
  const mayChange = world.images.length <= bounds.changes
  for (const broker of world.brokers) {
    const { id } = broker
    if (broker.term !== undefined && spent.values < bounds.values) events.push({ kind: 'produce', broker: id })
    events.push({ kind: 'fetch', broker: id })
    if (broker.position < world.images.length - 1) events.push({ kind: bounds.seesAll ? 'see all' : 'see', broker: id })
    if (spent.lateRequests < bounds.lateRequests) events.push({ kind: 'send', broker: id })
    if (spent.lateAnswers < bounds.lateAnswers) events.push({ kind: 'answer', broker: id })
    if (spent.held < bounds.held) events.push({ kind: 'hold', broker: id })
    // One that cannot be carried out any more within the bounds could only keep the high watermark back.
    if (mayChange) events.push(...proposalsOf(broker))
    if (broker.asking !== undefined) {
      if (mayChange) events.push({ kind: 'carry out', broker: id })
      events.push({ kind: 'refuse', broker: id })
      if (spent.unheard < bounds.unheard) for (const mayLand of [true, false]) events.push({ kind: 'lose', broker: id, mayLand })
    }
    if (!mayChange) continue
    events.push({ kind: 'fence', broker: id }, { kind: 'unfence', broker: id })
    if (spent.moves < bounds.moves) events.push({ kind: 'hand over', broker: id })
    events.push(...startsOf(world, broker, bounds))
  }
  world.messages.forEach((_, index) => events.push({ kind: 'arrive', index }))
  if (mayChange && world.unlanded !== undefined) events.push({ kind: 'land' })
  if (mayChange && spent.moves < bounds.moves) events.push({ kind: 'prefer' })
  return events
}

function* proposalsOf({ id, term, asking }: Broker): Generator<Event> {
  if (term === undefined || asking !== undefined) return
  if (term.proposal !== undefined) {
    if (term.proposal.isUnknown) yield { kind: 'propose', broker: id, late: [] }
    return
  }
  const others = term.isr.filter((one) => one !== id)
  const fetched = others.filter((one) => term.followers.some(({ brokerId }) => brokerId === one))
  const silent = others.filter((one) => !fetched.includes(one))
  for (const some of subsetsOf(fetched)) {
    yield { kind: 'propose', broker: id, late: some }
    if (silent.length > 0) yield { kind: 'propose', broker: id, late: [...some, ...silent] }
  }
}

function* startsOf({ spent }: World, { id, log }: Broker, { restarts, losses }: Bounds): Generator<Event> {
  if (spent.restarts < restarts) yield { kind: 'restart', broker: id, keeps: 'all' }
  if (spent.losses >= losses) return
  for (let keeps = 0; keeps < log.length; keeps++) yield { kind: 'restart', broker: id, keeps }
  yield { kind: 'restart', broker: id, keeps: 'nothing' }
}

function subsetsOf(ids: readonly number[]): readonly (readonly number[])[] {
  return ids.reduce<number[][]>((subsets, id) => [...subsets, ...subsets.map((one) => [...one, id])], [[]])
}

/** Whether a world is one of those that are looked at. */
export function isWithin(world: World, bounds: Bounds): boolean {
  return world.images.length - 1 <= bounds.changes && partitionOf(world.images.at(-1)!).leaderEpoch - 1 <= bounds.terms
}
