// All that there is: what the metadata log says, what each broker has and believes, and what is on its way. A world is
// never changed; an event makes the next one.

import type { Image } from '../broker/cluster/image.ts'
import type { WantedIsr } from '../broker/cluster/leadership.ts'
import type { MetadataRecord } from '../broker/cluster/metadata-record.ts'
import type { EpochStart } from '../broker/log/epoch-cache.ts'
import type { Divergence } from '../broker/replication/divergence.ts'
import type { LeaderState } from '../broker/replication/leader-state.ts'
import { firstImage, partitionOf } from './metadata.ts'

/** A record: `entryOf` of the epoch that it was written in, and of its value. No value is sent twice. */
export type Entry = number
export const entryOf = (epoch: number, value: number): Entry => epoch * valuesMax + value
export const epochOf = (entry: Entry): number => Math.floor(entry / valuesMax)
export const valueOf = (entry: Entry): number => entry % valuesMax
const valuesMax = 10

/** A change of the in-sync replicas that is to be carried into the metadata log. */
export interface Asking {
  readonly wanted: WantedIsr
  readonly wasUnknown: boolean
}

export interface Broker {
  readonly id: number
  /** Index in `images` of what it has seen. */
  readonly position: number
  /** Of this start. */
  readonly brokerEpoch: number
  /** By offset, from 0. */
  readonly log: readonly Entry[]
  readonly starts: readonly EpochStart[]
  /** What it was told of the high watermark, or worked out when it led. */
  readonly knownHighWatermark: number
  /** While it believes that it leads. */
  readonly term: LeaderState | undefined
  readonly asking: Asking | undefined
}

export interface FetchRequest {
  readonly from: number
  readonly brokerEpoch: number
  readonly to: number
  readonly leaderEpoch: number
  readonly offset: number
  readonly lastFetchedEpoch: number
}

export interface FetchAnswer {
  readonly entries: readonly Entry[]
  readonly highWatermark: number
  readonly diverging: Divergence | undefined
}

/**
 * `request`: on its way, and its answer will not be read, for the follower has given it up. `held`: it has arrived and was
 * found in order, and the leader reads for it again when it likes. `answer`: the follower waits for it.
 */
export type Message =
  | { readonly kind: 'request' | 'held'; readonly request: FetchRequest }
  | { readonly kind: 'answer'; readonly request: FetchRequest; readonly answer: FetchAnswer }

/** What a reader could see at an offset, and the oldest epoch whose leader showed it. */
export interface Shown {
  readonly entry: Entry
  readonly epoch: number
}

export interface Spent {
  readonly values: number
  readonly restarts: number
  readonly losses: number
  readonly lateRequests: number
  readonly lateAnswers: number
  readonly unheard: number
  readonly held: number
  readonly moves: number
}

export interface World {
  /** One per item of the metadata log; the last is what is decided on. */
  readonly images: readonly Image[]
  /** Written to the metadata log with nobody knowing whether it is there: it lands while nothing else has. */
  readonly unlanded: { readonly position: number; readonly records: readonly MetadataRecord[] } | undefined
  readonly brokers: readonly Broker[]
  readonly messages: readonly Message[]
  /** By offset. */
  readonly shown: readonly Shown[]
  /** Who showed something first, by epoch. */
  readonly showedBy: readonly (number | undefined)[]
  readonly spent: Spent
}

export function partitionSeenBy(world: World, { position }: Broker) {
  return partitionOf(world.images[position]!)
}

export function withBroker(world: World, broker: Broker): World {
  return { ...world, brokers: world.brokers.map((one) => (one.id === broker.id ? broker : one)) }
}

export function spend(world: World, what: keyof Spent): World {
  return { ...world, spent: { ...world.spent, [what]: world.spent[what] + 1 } }
}

/** Three brokers that have just started and know nothing yet but their numbers. */
export function emptyWorld(): World {
  const image = firstImage()
  const brokers = [...image.brokers.values()].map(({ brokerId: id, brokerEpoch }): Broker => ({
    id, brokerEpoch, position: 0, log: [], starts: [], knownHighWatermark: 0, term: undefined, asking: undefined,
  }))
  const spent = { values: 0, restarts: 0, losses: 0, lateRequests: 0, lateAnswers: 0, unheard: 0, held: 0, moves: 0 }
  return { images: [image], unlanded: undefined, brokers, messages: [], shown: [], showedBy: [], spent }
}
