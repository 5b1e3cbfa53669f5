// What clients saw, attempt by attempt: the only evidence that the checker accepts.

/** Where a batch of values went, and what came back. */
export interface Attempt {
  /** Of one producer: a producer has a number of its own, and its attempts are in the order in which it made them. */
  readonly producer: number
  readonly isIdempotent: boolean
  readonly partition: number
  readonly values: readonly string[]
  /** ok: acknowledged. fail: refused, and surely not written. info: nobody knows. */
  outcome: 'ok' | 'fail' | 'info'
  /** Of the first value, where acknowledged. */
  offset: number
  /** Why it is not ok. */
  reason: string
}

/** A record as somebody read it. */
export interface Sighting {
  readonly partition: number
  readonly offset: number
  readonly value: string
  /** The value does not have the checksum that it carries. */
  readonly isDamaged?: boolean
}

/** A batch as it lies in the log in the end, for the sequences that the producer gave it. */
export interface LoggedBatch {
  readonly partition: number
  readonly baseOffset: number
  readonly recordCount: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

export interface History {
  readonly attempts: readonly Attempt[]
  /** What consumers saw while it happened, each consumer in its own order. */
  readonly polls: readonly (readonly Sighting[])[]
  /** What made a consumer or an idempotent producer give up: it was told that what it knows is not so. */
  readonly dismissals: readonly string[]
  /** Everything that is in the topic in the end, in order of offsets. */
  readonly final: readonly Sighting[]
  readonly batches: readonly LoggedBatch[]
}
