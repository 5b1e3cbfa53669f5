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
  readonly outcome: Outcome
  /** Of the first value, where acknowledged; else -1. */
  readonly offset: number
  readonly error: number
}

/** A record as somebody read it. An empty value: its own checksum did not hold. */
export interface Sighting {
  readonly offset: number
  readonly value: string
}

/** One fetch of one partition. */
export interface Poll extends Span, Place {
  readonly consumer: string
  readonly fetchOffset: number
  readonly error: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: readonly Sighting[]
}

/** One question for an end of a partition. */
export interface Listing extends Span, Place {
  readonly which: 'earliest' | 'latest'
  readonly offset: number
}

/** A commit of an offset, or a look at what is committed (`offset` -1: nothing). One client per group. */
export interface OffsetCall extends Span, Place {
  readonly group: string
  readonly kind: 'commit' | 'fetch'
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
}

/** A batch as it lies in the log in the end. */
export interface LoggedBatch {
  readonly baseOffset: number
  readonly recordCount: number
  readonly leaderEpoch: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** All of a partition, read in the end by somebody who started at its earliest offset. */
export interface FinalLog extends Place {
  /** When its earliest offset was asked for. */
  readonly readAt: number
  readonly earliest: number
  readonly latest: number
  readonly records: readonly Sighting[]
  readonly batches: readonly LoggedBatch[]
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
  return { topics: [], attempts: [], polls: [], listings: [], offsets: [], finals: [], replicas: [], defects: [], dismissals: [], ...bounds }
}

export const placeName = ({ topicId, partition }: Place): string => `${topicId.slice(0, 6)}-${partition}`
