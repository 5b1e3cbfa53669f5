// What a partition remembers of producers: enough to tell a new batch from one that is sent again, and to know which
// transactions are open (KIP-98). It is made of the log alone, so every replica and every recovery comes to the same.

import type { EndedTransactions } from './ended-transactions.ts'
import type { AbortedTransaction } from './sealed-segment.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { nextSequence, type RecordBatch } from '../protocol/record-batch.ts'

/** Kafka's clients have at most five batches in flight per partition. */
const batchesRemembered = 5

/** Producers of one log that are remembered beside those with an open transaction. */
export const producersMax = 20_000

/** So many at once: to find the first one of a map costs as much as was deleted in front of it. */
const forgottenAtOnce = producersMax / 16

export interface RememberedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly timestamp: number
}

interface Producer {
  /** The state that may change it; to all others it is as it was when they were copied. */
  owner: object
  epoch: number
  coordinatorEpoch: number
  /** Wall clock of this broker at the last append: clients' timestamps say nothing about idleness. */
  lastAppendAt: number
  /** Largest timestamp of the last batch, for DescribeProducers. */
  lastTimestamp: number
  /** First offset of the open transaction; -1: none. */
  transactionStart: number
  batches: RememberedBatch[]
}

export type ProducerCheck =
  | { readonly kind: 'new' }
  | { readonly kind: 'duplicate'; readonly original: RememberedBatch }
  | { readonly kind: 'refused'; readonly errorCode: ErrorCode; readonly message: string }

/** `known`: the log says so already. */
export type MarkerCheck = Exclude<ProducerCheck, { readonly kind: 'duplicate' }> | { readonly kind: 'known' }

export interface DescribedProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  readonly currentTxnStartOffset: number
}

/** What an end-of-transaction marker says. */
export interface Marker {
  readonly isCommit: boolean
  readonly coordinatorEpoch: number
}

/** What a batch does not say itself. */
export interface BatchContext {
  /** Wall clock, milliseconds. */
  readonly now: number
  readonly marker: Marker | undefined
  /** Takes note of transactions that end. */
  readonly ended?: EndedTransactions
}

/** One producer in a snapshot: id, epoch, coordinator epoch, append time, timestamp, transaction start, batches. */
type Snapshot = readonly [number, number, number, number, number, number, readonly (readonly [number, number, number, number, number])[]]

export class ProducerState {
  /** In the order in which they were heard last. */
  #producers = new Map<number, Producer>()
  /** Their first offsets, in order: a transaction begins where the log ends. */
  #openTransactions = new Map<number, number>()
  /** Another one after each copy: what is there by then is shared, and changed as a copy of its own. */
  #owner = {}

  get count(): number {
    return this.#producers.size
  }

  /** The first offset of the transaction that is open for the longest; undefined where none is. */
  get firstOpenOffset(): number | undefined {
    for (const start of this.#openTransactions.values()) return start
    return undefined
  }


  knows(producerId: number): boolean {
    return this.#producers.has(producerId)
  }

  /** Whether a transaction of the producer is open that began in this epoch. */
  hasOpenTransaction({ producerId, producerEpoch }: Pick<RecordBatch, 'producerId' | 'producerEpoch'>): boolean {
    return this.#openTransactions.has(producerId) && this.#producers.get(producerId)?.epoch === producerEpoch
  }

  /** Whether a marker may be written, or has been. Call `apply` once it is taken. */
  checkMarker({ producerId, producerEpoch }: RecordBatch, marker: Marker & { readonly hasOwnEpoch: boolean }): MarkerCheck {
    const known = this.#producers.get(producerId)
    if (known === undefined) return { kind: 'new' }
    if (marker.coordinatorEpoch < known.coordinatorEpoch) {
      return refused(
        ErrorCode.TRANSACTION_COORDINATOR_FENCED, `coordinator epoch ${marker.coordinatorEpoch} met ${known.coordinatorEpoch}`
      )
    }
    const isOpen = known.transactionStart >= 0
    if (producerEpoch < known.epoch || (marker.hasOwnEpoch && producerEpoch === known.epoch && isOpen)) {
      return refused(ErrorCode.INVALID_PRODUCER_EPOCH, `producer ${producerId} has epoch ${known.epoch}, and its marker ${producerEpoch}`)
    }
    // It would say what the log says: nothing is open, and nobody who is fenced by it could write.
    if (!isOpen && producerEpoch === known.epoch && marker.coordinatorEpoch === known.coordinatorEpoch) return { kind: 'known' }
    return { kind: 'new' }
  }

  /** Whether a client's batch continues what its producer sent. Call `apply` once it is taken. */
  check(batch: RecordBatch): ProducerCheck {
    const { producerId, producerEpoch, baseSequence } = batch
    if (producerId < 0) return { kind: 'new' }
    const known = this.#producers.get(producerId)
    // Nothing is known of it, perhaps because it was silent for long: it may go on from anywhere, as in Kafka.
    if (known === undefined) return { kind: 'new' }
    if (producerEpoch < known.epoch) {
      return refused(ErrorCode.INVALID_PRODUCER_EPOCH, `producer ${producerId} has epoch ${known.epoch}, and sent ${producerEpoch}`)
    }
    if (producerEpoch > known.epoch) {
      if (baseSequence === 0) return { kind: 'new' }
      return refused(
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, `producer ${producerId} began epoch ${producerEpoch} with sequence ${baseSequence}`
      )
    }
    const lastSequence = batch.lastSequence
    if (known.transactionStart >= 0 && !batch.isTransactional) {
      return refused(ErrorCode.INVALID_TXN_STATE, `producer ${producerId} has an open transaction, of which this is no part`)
    }
    const original = known.batches.find((one) => one.firstSequence === baseSequence && one.lastSequence === lastSequence)
    if (original !== undefined) return { kind: 'duplicate', original }
    const last = known.batches.at(-1)
    const expected = last === undefined ? 0 : nextSequence(last.lastSequence, 1)
    if (baseSequence === expected) return { kind: 'new' }
    return refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, `producer ${producerId} sent sequence ${baseSequence}, and ${expected} is next`)
  }

  /**
   * Takes a batch in, in the order of the log: from a client after `check`, from a leader or the disk as it is. The
   * offsets in it are final. Returns the transaction that a marker aborted.
   */
  apply(batch: RecordBatch, context: BatchContext): AbortedTransaction | undefined {
    const { producerId, producerEpoch } = batch
    if (producerId < 0) return undefined
    const producer = this.#heard(producerId, producerEpoch)
    if (producer.epoch !== producerEpoch) {
      producer.epoch = producerEpoch
      producer.batches = []
    }
    producer.lastAppendAt = context.now
    producer.lastTimestamp = batch.maxTimestamp
    if (batch.isControl) return this.#end(producer, batch, context)
    producer.batches.push({
      firstSequence: batch.baseSequence, lastSequence: batch.lastSequence,
      baseOffset: batch.baseOffset, endOffset: batch.endOffset, timestamp: batch.maxTimestamp,
    })
    if (producer.batches.length > batchesRemembered) producer.batches.shift()
    if (batch.isTransactional && producer.transactionStart < 0) {
      producer.transactionStart = batch.baseOffset
      this.#openTransactions.set(producerId, batch.baseOffset)
    }
    return undefined
  }

  /** The producer as this state may change it, behind all others. */
  #heard(producerId: number, epoch: number): Producer {
    const known = this.#producers.get(producerId)
    const producer = known?.owner === this.#owner ? known : this.#owned(known, epoch)
    if (known !== undefined) this.#producers.delete(producerId)
    this.#producers.set(producerId, producer)
    if (known === undefined) this.#forgetSome()
    return producer
  }

  #owned(known: Producer | undefined, epoch: number): Producer {
    const owner = this.#owner
    if (known !== undefined) return { ...known, owner, batches: [...known.batches] }
    return { owner, epoch, coordinatorEpoch: -1, lastAppendAt: 0, lastTimestamp: -1, transactionStart: -1, batches: [] }
  }

  /** Where there are too many, those go that were silent for the longest. A client that goes on all the same is taken for a new one. */
  #forgetSome(): void {
    if (this.#producers.size - this.#openTransactions.size <= producersMax) return
    let left = forgottenAtOnce
    for (const [producerId, { transactionStart }] of this.#producers) {
      if (transactionStart >= 0) continue
      this.#producers.delete(producerId)
      if (--left <= 0) return
    }
  }

  #end(producer: Producer, batch: RecordBatch, { marker, ended }: BatchContext): AbortedTransaction | undefined {
    if (marker === undefined) return undefined
    const { producerId } = batch
    const firstOffset = producer.transactionStart
    producer.coordinatorEpoch = marker.coordinatorEpoch
    producer.transactionStart = -1
    this.#openTransactions.delete(producerId)
    if (firstOffset >= 0) ended?.add(firstOffset, batch.lastOffset)
    if (marker.isCommit || firstOffset < 0) return undefined
    const lastOffset = batch.lastOffset
    return { producerId, firstOffset, lastOffset, lastStableOffset: this.firstOpenOffset ?? lastOffset + 1 }
  }

  /** Forgets producers that were silent since before `now - idleMs`, unless a transaction of theirs is open. */
  expire(now: number, idleMs: number): void {
    for (const [producerId, producer] of this.#producers) {
      if (producer.transactionStart < 0 && producer.lastAppendAt < now - idleMs) this.#producers.delete(producerId)
    }
  }

  describe(): DescribedProducer[] {
    return [...this.#producers].map(([producerId, producer]) => ({
      producerId,
      producerEpoch: producer.epoch,
      lastSequence: producer.batches.at(-1)?.lastSequence ?? -1,
      lastTimestamp: producer.lastTimestamp,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.transactionStart,
    }))
  }

  /** An equal state, which from here on changes by itself. What costs is the map: producers are shared until they are heard again. */
  copy(): ProducerState {
    const copy = new ProducerState()
    copy.take(this)
    return copy
  }

  /** Becomes what another state is, as `copy` does. */
  take(other: ProducerState): void {
    this.#producers = new Map(other.#producers)
    this.#openTransactions = new Map(other.#openTransactions)
    this.#owner = {}
    other.#owner = {}
  }

  /** All of it, as plain data; `restore` makes an equal state of that. */
  snapshot(): readonly Snapshot[] {
    return [...this.entries()]
  }

  /** What `snapshot` has, one by one. */
  *entries(): Generator<Snapshot> {
    for (const [id, { epoch, coordinatorEpoch, lastAppendAt, lastTimestamp, transactionStart, batches }] of this.#producers) {
      yield [id, epoch, coordinatorEpoch, lastAppendAt, lastTimestamp, transactionStart,
        batches.map((one) => [one.firstSequence, one.lastSequence, one.baseOffset, one.endOffset, one.timestamp] as const)]
    }
  }

  static restore(snapshot: readonly Snapshot[]): ProducerState {
    const state = new ProducerState()
    for (const [id, epoch, coordinatorEpoch, lastAppendAt, lastTimestamp, transactionStart, batches] of snapshot) {
      state.#producers.set(id, {
        owner: state.#owner, epoch, coordinatorEpoch, lastAppendAt, lastTimestamp, transactionStart,
        batches: batches.map(([firstSequence, lastSequence, baseOffset, endOffset, timestamp]) =>
          ({ firstSequence, lastSequence, baseOffset, endOffset, timestamp })),
      })
      if (transactionStart >= 0) state.#openTransactions.set(id, transactionStart)
      else state.#forgetSome()
    }
    // A snapshot has producers in the order in which they were heard last.
    state.#openTransactions = new Map([...state.#openTransactions].sort(([, one], [, other]) => one - other))
    return state
  }
}

function refused(errorCode: ErrorCode, message: string): Extract<ProducerCheck, { readonly kind: 'refused' }> {
  return { kind: 'refused', errorCode, message }
}
