// What clients saw, attempt by attempt, in the order in which it ended: the only evidence that the checker accepts.
// All times are milliseconds of one clock, the simulation's.

/** ok: acknowledged. fail: refused, and surely without effect. info: nobody knows. */
export type Outcome = 'ok' | 'fail' | 'info'

export interface Span {
  readonly invokedAt: number
  readonly endedAt: number
}

/** A partition as the history names it: topic id and number. */
export interface Place {
  readonly topicId: string
  readonly partition: number
}

/** One request with one batch. The same batch may be sent several times: its attempts have the same values. */
export interface Attempt extends Span, Place {
  readonly producer: string
  /** Undefined: not idempotent. */
  readonly sequence: { readonly producerId: number; readonly producerEpoch: number; readonly base: number } | undefined
  /** The number of the batch, in the order in which its producer made them for this partition. */
  readonly batch: number
  readonly values: readonly string[]
  /** By value, where records have keys. */
  readonly keys?: readonly Keyed[]
  /** The name of the transaction that it is part of. */
  readonly transaction?: string
  readonly outcome: Outcome
  /** Of the first value, where acknowledged; else -1. */
  readonly offset: number
  readonly error: number
}

export interface Keyed {
  readonly key: string
  /** It has no value: the key is deleted. */
  readonly isTombstone: boolean
}

/** What one producer did between the beginning and the end of a transaction. */
export interface Transaction extends Span {
  readonly name: string
  readonly transactionalId: string
  /** Whether every transaction has an epoch of its own (KIP-890), or those of a session share one. */
  readonly hasOwnEpoch: boolean
  /** Which end its producer asked for; undefined: none, it gave up before. */
  readonly asked: 'commit' | 'abort' | undefined
  /** When that was asked first. Where nothing was: when it gave up. */
  readonly askedAt: number
  /** ok: it was told that it ended so. fail: surely not so. info: nobody told it. */
  readonly outcome: Outcome
  /** The records that it was made of, which are committed with it. */
  readonly consumed?: Consumed
}

/** Offsets of one partition, `to` exclusive; the next transaction of the group begins there, whoever's that is. */
export interface Consumed extends Place {
  readonly group: string
  readonly from: number
  readonly to: number
}

/** A record as somebody read it. An empty value: its own checksum did not hold. */
export interface Sighting {
  readonly offset: number
  /** Of a tombstone: what it is called. */
  readonly value: string
  readonly key?: string
  readonly isTombstone?: true
}

/** One fetch of one partition. */
export interface Poll extends Span, Place {
  readonly consumer: string
  readonly fetchOffset: number
  readonly error: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: readonly Sighting[]
  /** Where only committed records were asked for: up to where there are any. */
  readonly lastStable?: number
}

/** One question for an end of a partition. Stable: the latest for who reads committed records only. */
export interface Listing extends Span, Place {
  readonly which: 'earliest' | 'latest' | 'stable'
  readonly offset: number
}

/** A commit of an offset, or a look at what is committed (`offset` -1: nothing). One client per group. */
export interface OffsetCall extends Span, Place {
  readonly group: string
  readonly kind: 'commit' | 'fetch'
  /** Committed by transactions only, and asked for when no transaction was open (KIP-447). */
  readonly isTransactional?: true
  readonly offset: number
  readonly outcome: Outcome
}

export interface TopicLife {
  readonly topicId: string
  readonly name: string
  readonly partitions: number
  /** Milliseconds; Infinity: nothing is ever deleted. */
  readonly retentionMs: number
  /** When its deletion was first asked for. */
  deletedAt: number | undefined
  /** Where it is compacted: tombstones stay for so many milliseconds. */
  readonly deleteRetentionMs?: number
}

/** A batch as it lies in the log in the end. */
export interface LoggedBatch {
  readonly baseOffset: number
  /** Inclusive. */
  readonly lastOffset: number
  readonly recordCount: number
  readonly leaderEpoch: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
  /** It is no data: it says how what is open of its producer ends. */
  readonly marker: 'commit' | 'abort' | undefined
}

/** All of a partition, read in the end by somebody who started at its earliest offset. */
export interface FinalLog extends Place {
  /** When its earliest offset was asked for. */
  readonly readAt: number
  readonly earliest: number
  readonly latest: number
  readonly records: readonly Sighting[]
  readonly batches: readonly LoggedBatch[]
  /** Where readers of committed records were asked too: what they see of it, and up to where. */
  readonly committed?: { readonly records: readonly Sighting[]; readonly end: number }
}

/** The same as one in-sync replica has it. */
export interface ReplicaLog extends FinalLog {
  readonly broker: number
}

export interface History {
  readonly topics: TopicLife[]
  readonly attempts: Attempt[]
  readonly polls: Poll[]
  readonly listings: Listing[]
  readonly offsets: OffsetCall[]
  readonly transactions: Transaction[]
  readonly finals: FinalLog[]
  /** What a broker must never do or say, whoever asked. */
  readonly defects: string[]
  /** What made an idempotent producer give up: it was told that what it knows is not so. */
  readonly dismissals: string[]
  /** Milliseconds by which wall clocks may be apart. */
  readonly skewMsMax: number
  /** So long after it was given up a request may still be carried out, in milliseconds. */
  readonly lateMsMax: number
  /** One broker: nobody is ever served by somebody who does not know yet that another one leads. */
  readonly isAlone: boolean
  /** What each in-sync replica holds in the end. */
  readonly replicas: ReplicaLog[]
}

export function emptyHistory(bounds: Pick<History, 'skewMsMax' | 'lateMsMax' | 'isAlone'>): History {
  return { topics: [], attempts: [], polls: [], listings: [], offsets: [], transactions: [], finals: [], replicas: [], defects: [], dismissals: [], ...bounds }
}

export const placeName = ({ topicId, partition }: Place): string => `${topicId.slice(0, 6)}-${partition}`
