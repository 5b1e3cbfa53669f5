// What a broker does with its replica, as broker/replication/{partition,follower,leader-term}.ts do it, without the waiting:
// each function there that decides is called here too, and what they do around it is done to a value.

import type { Rules } from '../broker/runtime/rules.ts'
import { EpochCache } from '../broker/log/epoch-cache.ts'
import { divergence, truncationPoint } from '../broker/replication/divergence.ts'
import { adopt, beginTerm, highWatermarkOf, observeFetch } from '../broker/replication/leader-state.ts'
import { minIsr, partitionOf } from './metadata.ts'
import { type Broker, entryOf, epochOf, type FetchAnswer, type FetchRequest, partitionSeenBy, type World } from './world.ts'

/** Time does not pass: who is out of step is an event of its own. */
export const now = 0

export function highWatermark({ term, knownHighWatermark, log }: Broker): number {
  return Math.min(term?.highWatermark ?? knownHighWatermark, log.length)
}

export function advance(broker: Broker, rules: Rules): Broker {
  if (broker.term === undefined) return broker
  const highWatermark = highWatermarkOf(broker.term, { endOffset: broker.log.length, minIsr, rules })
  return { ...broker, term: { ...broker.term, highWatermark }, knownHighWatermark: Math.max(broker.knownHighWatermark, highWatermark) }
}

export function truncate(broker: Broker, offset: number): Broker {
  const epochs = new EpochCache(broker.starts)
  epochs.truncateFromEnd(offset)
  return { ...broker, log: broker.log.slice(0, offset), starts: epochs.starts }
}

/** `Partition.assume`, with the image after the one that it has seen. */
export function seeNext(world: World, broker: Broker, rules: Rules): Broker {
  const before = partitionSeenBy(world, broker)
  const seen = { ...broker, position: broker.position + 1 }
  const partition = partitionSeenBy(world, seen)
  if (partition.leaderEpoch !== before.leaderEpoch || before.leader < 0) return assume(world, seen, rules)
  return seen.term === undefined ? seen : advance({ ...seen, term: adopt(seen.term, partition) }, rules)
}

export function seeAll(world: World, broker: Broker, rules: Rules): Broker {
  let seeing = broker
  while (seeing.position < world.images.length - 1) seeing = seeNext(world, seeing, rules)
  return seeing
}

/** `Partition.assume`, where the epoch is new to it. */
export function assume(world: World, broker: Broker, rules: Rules): Broker {
  const partition = partitionSeenBy(world, broker)
  const retired = { ...broker, term: undefined, knownHighWatermark: Math.max(broker.knownHighWatermark, broker.term?.highWatermark ?? 0) }
  if (partition.leader !== broker.id) {
    if (partition.leader < 0) return retired
    // An epoch that it led and wrote nothing in goes.
    return truncate(retired, rules.isRemoved('followers truncate by epoch') ? highWatermark(retired) : retired.log.length)
  }
  const epochs = new EpochCache(broker.starts)
  epochs.begin(partition.leaderEpoch, broker.log.length)
  const term = beginTerm({
    brokerId: broker.id, partition, endOffset: broker.log.length, highWatermark: retired.knownHighWatermark, now,
  })
  return advance({ ...retired, starts: epochs.starts, term }, rules)
}

export function append(broker: Broker, value: number, rules: Rules): Broker {
  const epoch = broker.term!.leaderEpoch
  const epochs = new EpochCache(broker.starts)
  epochs.note(epoch, broker.log.length)
  return advance({ ...broker, log: [...broker.log, entryOf(epoch, value)], starts: epochs.starts }, rules)
}

/** `Follower.wanted`; undefined where it follows nobody. */
export function wanted(world: World, { log, starts, ...broker }: Broker): FetchRequest | undefined {
  const { leader, leaderEpoch } = partitionSeenBy(world, { log, starts, ...broker })
  if (leader < 0 || leader === broker.id) return undefined
  const lastFetchedEpoch = new EpochCache(starts).epochAt(log.length - 1) ?? -1
  return { from: broker.id, brokerEpoch: broker.brokerEpoch, to: leader, leaderEpoch, offset: log.length, lastFetchedEpoch }
}

/** `fetch` in broker/api: whether the leader knows this start of the follower. */
export function isOfKnownStart(world: World, leader: Broker, { from, brokerEpoch }: FetchRequest): boolean {
  return world.images[leader.position]!.brokers.get(from)?.brokerEpoch === brokerEpoch
}

/** `Partition.readAsFollower`; undefined where it refuses. */
export function read(
  world: World, leader: Broker, of: { readonly request: FetchRequest; readonly rules: Rules },
): { readonly leader: Broker; readonly answer: FetchAnswer } | undefined {
  const { request: { from, brokerEpoch, offset, leaderEpoch, lastFetchedEpoch }, rules } = of
  const { term, log, starts } = leader
  if (term === undefined) return undefined
  const isOtherEpoch = partitionOf(world.images[leader.position]!).leaderEpoch !== leaderEpoch
  if (isOtherEpoch && !rules.isRemoved('fetches are checked for the leader epoch')) return undefined
  const endOffset = log.length
  const diverging = rules.isRemoved('followers truncate')
    ? undefined
    : divergence(new EpochCache(starts), { endOffset, offset, lastFetchedEpoch })
  if (diverging !== undefined) return { leader, answer: { entries: [], highWatermark: 0, diverging } }
  if (offset > endOffset) return undefined
  const observed = advance({ ...leader, term: observeFetch(term, { brokerId: from, brokerEpoch, fetchOffset: offset, endOffset, now }) }, rules)
  return { leader: observed, answer: { entries: log.slice(offset), highWatermark: highWatermark(observed), diverging: undefined } }
}

/** `Follower.take` and `PartitionLog.replicate`. */
export function take(follower: Broker, { offset }: FetchRequest, { entries, highWatermark: told, diverging }: FetchAnswer): Broker {
  const epochs = new EpochCache(follower.starts)
  const endOffset = follower.log.length
  if (diverging !== undefined) return truncate(follower, truncationPoint(epochs, diverging, endOffset))
  const isNext = offset === endOffset
  if (entries.length > 0 && (!isNext || epochOf(entries[0]!) < (epochs.latest ?? 0))) return follower
  entries.forEach((entry, index) => epochs.note(epochOf(entry), offset + index))
  const log = entries.length === 0 ? follower.log : [...follower.log, ...entries]
  const known = Math.max(follower.knownHighWatermark, Math.min(told, log.length))
  return { ...follower, log, starts: epochs.starts, knownHighWatermark: known }
}
