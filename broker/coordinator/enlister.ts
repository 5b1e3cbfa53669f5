// Makes partitions of this broker, and groups that it coordinates, part of transactions before anything of those is written
// here, or asks whether they are (KIP-890). What is wanted of one coordinator at the same time goes in few questions:
//
//   partitions of a request, and of others meanwhile ─▶ by coordinator ─▶ AddPartitionsToTxn ─▶ one answer for each

import { ErrorCode } from '../protocol/error-code.ts'
import type { AddGroupToTxnRequest, AddGroupToTxnResponse } from '../protocol/internal/txn-group.ts'
import type { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } from '../protocol/messages/add-partitions-to-txn.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { type CoordinatorDirectory, shardOf } from './directory.ts'

export interface EnlisterLimits {
  /** Transactions that one question is about. */
  readonly transactionsPerAskMax: number
  /** Questions that are under way to one coordinator; what comes meanwhile goes into the next ones. */
  readonly asksInFlightMax: number
  /** Partitions that wait for a question; further ones are refused with COORDINATOR_LOAD_IN_PROGRESS. */
  readonly waitingMax: number
  /** The transaction before this one is still being completed: asked again after, and for how long, milliseconds. */
  readonly retryMs: number
  readonly retryMsMax: number
}

export interface EnlisterOptions {
  readonly clock: Clock
  readonly directory: CoordinatorDirectory
  readonly limits: EnlisterLimits
  /** Asks a broker, which may be this one. A rejection says that nobody knows what came of it. */
  addPartitions(brokerId: number, request: AddPartitionsToTxnRequest): Promise<AddPartitionsToTxnResponse>
  addGroup(brokerId: number, request: AddGroupToTxnRequest): Promise<AddGroupToTxnResponse>
}

export interface Transaction {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
  /** Only asks: older clients add what they write to by themselves. */
  readonly verifyOnly: boolean
}

export interface AddedGroup {
  readonly errorCode: ErrorCode
  /** Of the transaction's coordinator; -1: not said. */
  readonly coordinatorEpoch: number
}

export interface PartitionName {
  readonly topic: string
  readonly partition: number
}

interface Wanted {
  readonly transaction: Transaction
  readonly place: PartitionName
  readonly resolve: (code: ErrorCode) => void
}

interface Line {
  waiting: Wanted[]
  inFlight: number
  isDue: boolean
}

export class Enlister {
  readonly #options: EnlisterOptions
  readonly #lines = new Map<number, Line>()
  #waiting = 0

  constructor(options: EnlisterOptions) {
    this.#options = options
  }

  /** NONE: the partition is part of the transaction, and its coordinator will not forget that. Never rejects. */
  partition(transaction: Transaction, place: PartitionName): Promise<ErrorCode> {
    return this.#patiently(transaction, () => this.#queue(transaction, place))
  }

  /** The same of the offsets of a group. */
  async group(transaction: Transaction, groupId: string): Promise<AddedGroup> {
    let coordinatorEpoch = -1
    const errorCode = await this.#patiently(transaction, async () => {
      const owner = this.#options.directory.ownerOf('transaction', shardOf(transaction.transactionalId))
      if (typeof owner === 'number') return owner
      const answer = await this.#options.addGroup(owner.nodeId, { ...transaction, groupId }).catch(() => unknown)
      coordinatorEpoch = answer.coordinatorEpoch ?? -1
      return answer.errorCode as ErrorCode
    })
    return { errorCode, coordinatorEpoch }
  }

  /**
   * A client that begins its next transaction is often faster than the markers of the one before. It would wait longer
   * than they take, were it refused at once.
   */
  async #patiently({ verifyOnly }: Transaction, ask: () => Promise<ErrorCode>): Promise<ErrorCode> {
    const { clock, limits } = this.#options
    const until = clock.monotonic() + limits.retryMsMax
    for (;;) {
      const code = await ask()
      if (code !== ErrorCode.CONCURRENT_TRANSACTIONS || verifyOnly || clock.monotonic() + limits.retryMs > until) return code
      await sleep(clock, limits.retryMs)
    }
  }

  #queue(transaction: Transaction, place: PartitionName): Promise<ErrorCode> {
    const { directory, limits } = this.#options
    const owner = directory.ownerOf('transaction', shardOf(transaction.transactionalId))
    if (typeof owner === 'number') return Promise.resolve(owner)
    if (this.#waiting >= limits.waitingMax) return Promise.resolve(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    const line = this.#lines.get(owner.nodeId) ?? { waiting: [], inFlight: 0, isDue: false }
    this.#lines.set(owner.nodeId, line)
    this.#waiting += 1
    return new Promise((resolve) => {
      line.waiting.push({ transaction, place, resolve })
      this.#soon(owner.nodeId, line)
    })
  }

  /** Once everybody who asks in this turn has asked. */
  #soon(brokerId: number, line: Line): void {
    if (line.isDue || line.inFlight >= this.#options.limits.asksInFlightMax) return
    line.isDue = true
    queueMicrotask(() => {
      line.isDue = false
      void this.#ask(brokerId, line)
    })
  }

  async #ask(brokerId: number, line: Line): Promise<void> {
    const wanted = takeTogether(line, this.#options.limits.transactionsPerAskMax)
    this.#waiting -= [...wanted.values()].reduce((count, { length }) => count + length, 0)
    line.inFlight += 1
    if (line.waiting.length > 0) this.#soon(brokerId, line)
    const answer = await this.#options.addPartitions(brokerId, requestFor(wanted)).catch(() => undefined)
    line.inFlight -= 1
    if (line.waiting.length > 0) this.#soon(brokerId, line)
    else if (line.inFlight === 0 && !line.isDue) this.#lines.delete(brokerId)
    const codes = codesIn(answer)
    for (const [transactionalId, places] of wanted) {
      for (const { place, resolve } of places) resolve(codes(transactionalId, place))
    }
  }
}

/** What one question can hold: an answer names transactions by their ids alone, so there is one epoch of each in it. */
function takeTogether(line: Line, transactionsMax: number): Map<string, Wanted[]> {
  const taken = new Map<string, Wanted[]>()
  const left: Wanted[] = []
  for (const one of line.waiting) {
    const same = taken.get(one.transaction.transactionalId)
    if (same === undefined && taken.size < transactionsMax) taken.set(one.transaction.transactionalId, [one])
    else if (same !== undefined && isSame(same[0]!.transaction, one.transaction)) same.push(one)
    else left.push(one)
  }
  line.waiting = left
  return taken
}

function isSame(one: Transaction, other: Transaction): boolean {
  return one.producerId === other.producerId && one.producerEpoch === other.producerEpoch && one.verifyOnly === other.verifyOnly
}

function requestFor(wanted: ReadonlyMap<string, readonly Wanted[]>): AddPartitionsToTxnRequest {
  const transactions = [...wanted.values()].map((places) => {
    const topics = new Map<string, number[]>()
    for (const { place: { topic, partition } } of places) {
      const partitions = topics.get(topic) ?? []
      if (!partitions.includes(partition)) partitions.push(partition)
      topics.set(topic, partitions)
    }
    return { ...places[0]!.transaction, topics: [...topics].map(([name, partitions]) => ({ name, partitions })) }
  })
  return { transactions, v3AndBelowTransactionalId: '', v3AndBelowProducerId: 0, v3AndBelowProducerEpoch: 0, v3AndBelowTopics: [] }
}

function codesIn(answer: AddPartitionsToTxnResponse | undefined): (transactionalId: string, place: PartitionName) => ErrorCode {
  if (answer === undefined) return () => ErrorCode.NETWORK_EXCEPTION
  if (answer.errorCode !== undefined && answer.errorCode !== ErrorCode.NONE) return () => answer.errorCode as ErrorCode
  const codes = new Map<string, number>()
  for (const { transactionalId, topicResults } of answer.resultsByTransaction ?? []) {
    for (const { name, resultsByPartition } of topicResults) {
      for (const { partitionIndex, partitionErrorCode } of resultsByPartition) {
        codes.set(`${transactionalId}/${name}/${partitionIndex}`, partitionErrorCode)
      }
    }
  }
  // Whoever does not answer to what it was asked has not said yes.
  return (transactionalId, { topic, partition }) => {
    return (codes.get(`${transactionalId}/${topic}/${partition}`) ?? ErrorCode.COORDINATOR_NOT_AVAILABLE) as ErrorCode
  }
}

const unknown: AddGroupToTxnResponse = { errorCode: ErrorCode.NETWORK_EXCEPTION }
