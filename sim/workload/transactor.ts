// One transactional producer, as clients have it: what it asks for again, when it gives up, and what it believes then. It
// writes down every attempt and every transaction. The simulator and the faults on real processes use the same one.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { addOffsetsToTxnApi } from '../../broker/protocol/messages/add-offsets-to-txn.ts'
import { addPartitionsToTxnApi } from '../../broker/protocol/messages/add-partitions-to-txn.ts'
import { endTxnApi } from '../../broker/protocol/messages/end-txn.ts'
import { initProducerIdApi } from '../../broker/protocol/messages/init-producer-id.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { txnOffsetCommitApi } from '../../broker/protocol/messages/txn-offset-commit.ts'
import type { Consumed, History, Keyed, Outcome, Place, Transaction } from '../check/history.ts'
import { keyOf } from '../check/log-index.ts'
import { recordOf, transactionalBatch } from './batches.ts'
import type { Reach } from './reach.ts'
import { neverDue, surelyNotWritten, type Verdict, verdictOf } from './verdict.ts'

export interface TransactorOptions {
  readonly name: string
  readonly transactionalId: string
  /** Before KIP-890: partitions and groups are added by requests of their own, and a session's transactions share its epoch. */
  readonly isOld: boolean
  /** The coordinator aborts what is open for longer. */
  readonly timeoutMs: number
  readonly history: History
}

export interface Topical extends Place {
  readonly topic: string
}

export interface Written {
  readonly place: Topical
  readonly keys?: readonly Keyed[]
  readonly count: number
  readonly fillerBytes: number
}

export interface Session {
  readonly producerId: number
  readonly producerEpoch: number
}

interface Open {
  readonly name: string
  readonly invokedAt: number
  /** What it asked to be in it, where it has to ask. */
  readonly added: Set<string>
  consumed: Consumed | undefined
}

/** How long it asks again for the same thing, in milliseconds. */
const patienceMs = 12_000
const pauseMs = 80

export class Transactor {
  readonly #reach: Reach
  readonly #options: TransactorOptions
  #session: Session | undefined
  #open: Open | undefined
  readonly #nextSequences = new Map<string, number>()
  readonly #batches = new Map<string, number>()
  #transactions = 0
  #values = 0

  constructor(reach: Reach, options: TransactorOptions) {
    this.#reach = reach
    this.#options = options
  }

  /** What it believes to be; undefined: it has to ask. */
  get session(): Session | undefined {
    return this.#session
  }

  /** The name of what is open. */
  get transaction(): string | undefined {
    return this.#open?.name
  }

  get hasSession(): boolean {
    return this.#session !== undefined
  }

  /** A new session, which ends what an earlier one of the same id has left open. */
  async init(): Promise<Verdict> {
    const { transactionalId, timeoutMs: transactionTimeoutMs } = this.#options
    // One that goes on tells what it had (KIP-360), and so is not taken for a stranger.
    const had = this.#session ?? { producerId: -1, producerEpoch: -1 }
    this.#session = undefined
    let verdict: Verdict = 'again'
    await this.#untilSaid(async () => {
      const answer = await this.#ask(() => this.#reach.transactionCoordinator(transactionalId), (wire) => wire.call(initProducerIdApi, {
        transactionalId, transactionTimeoutMs, ...had,
      }))
      verdict = verdictOf(answer?.errorCode)
      if (answer !== undefined && verdict === 'done') this.#take({ producerId: answer.producerId, producerEpoch: answer.producerEpoch })
      return verdict
    })
    return verdict
  }

  /** Whoever it was is gone, and nobody knows what is open of it. */
  forgetSession(): void {
    this.#session = undefined
  }

  begin(): void {
    const { name } = this.#options
    this.#open = { name: `${name}/${this.#transactions++}`, invokedAt: this.#reach.now, added: new Set(), consumed: undefined }
  }

  async send(written: Written): Promise<Verdict> {
    const { isOld, transactionalId } = this.#options
    const { place } = written
    const added = isOld ? await this.#add(place) : 'done'
    if (added !== 'done') return added
    const session = this.#session!
    const key = keyOf(place)
    const [base, batch] = [this.#nextSequences.get(key) ?? 0, this.#batches.get(key) ?? 0]
    this.#nextSequences.set(key, base + written.count)
    this.#batches.set(key, batch + 1)
    const values = Array.from({ length: written.count }, () => `${this.#options.name}:${this.#values++}`)
    const bytes = transactionalBatch(values.map((value, index) => recordOf(value, written.fillerBytes, written.keys?.[index])), {
      ...session, baseSequence: base, timestamp: this.#reach.wallClock,
    })
    return this.#untilSaid(async () => {
      const { topicId, topic, partition } = place
      const invokedAt = this.#reach.now
      const answer = await this.#ask(() => this.#reach.leaderOf(place), (wire) => wire.call(produceApi, {
        transactionalId, acks: -1, timeoutMs: 5_000,
        topicData: [{ topicId, name: topic, partitionData: [{ index: partition, records: [bytes] }] }],
      }, isOld ? { version: 11 } : {}))
      const found = answer?.responses[0]?.partitionResponses[0]
      const error = found?.errorCode
      const outcome: Outcome = error === ErrorCode.NONE ? 'ok' : error !== undefined && surelyNotWritten.has(error) ? 'fail' : 'info'
      this.#options.history.attempts.push({
        producer: this.#options.name, topicId, partition, batch, values, invokedAt, endedAt: this.#reach.now, outcome,
        sequence: { ...session, base }, transaction: this.#open!.name, offset: outcome === 'ok' ? found!.baseOffset : -1,
        error: error ?? ErrorCode.NETWORK_EXCEPTION, ...(written.keys === undefined ? {} : { keys: written.keys }),
      })
      if (error !== undefined && neverDue.has(error)) this.#dismissed(`batch ${base} of ${key}`, error)
      return verdictOf(error)
    })
  }

  async consume(consumed: Consumed & Topical): Promise<Verdict> {
    const { isOld, transactionalId } = this.#options
    const { group, topic, topicId, partition, from, to } = consumed
    // From now on nobody knows whether its offsets are part of it.
    this.#open!.consumed = { group, topicId, partition, from, to }
    const session = this.#session!
    if (isOld) {
      const added = await this.#untilSaid(async () => verdictOf((await this.#ask(() => this.#reach.transactionCoordinator(transactionalId), (wire) => wire.call(
        addOffsetsToTxnApi, { transactionalId, ...session, groupId: group }, { version: 3 },
      )))?.errorCode))
      if (added !== 'done') return added
    }
    return this.#untilSaid(async () => {
      const answer = await this.#ask(() => this.#reach.groupCoordinator(group), (wire) => wire.call(txnOffsetCommitApi, {
        transactionalId, groupId: group, ...session,
        topics: [{ name: topic, partitions: [{ partitionIndex: partition, committedOffset: to, committedMetadata: null }] }],
      }, isOld ? { version: 4 } : {}))
      return verdictOf(answer?.topics[0]?.partitions[0]?.errorCode)
    })
  }

  /** Asks until it is told; what it does not get told is the end of the session. */
  async end(asked: 'commit' | 'abort'): Promise<Outcome> {
    const { isOld, transactionalId } = this.#options
    const session = this.#session!
    const askedAt = this.#reach.now
    // An answer that was lost may have been that it is done; then a refusal says nothing of what became of it.
    let isSure = true
    let outcome: Outcome = 'info'
    const verdict = await this.#untilSaid(async () => {
      const answer = await this.#ask(() => this.#reach.transactionCoordinator(transactionalId), (wire) => wire.call(endTxnApi, {
        transactionalId, ...session, committed: asked === 'commit',
      }, isOld ? { version: 4 } : {}))
      const said = verdictOf(answer?.errorCode)
      if (said === 'done') this.#take(isOld ? session : { producerId: answer!.producerId, producerEpoch: answer!.producerEpoch }, isOld)
      if (said === 'again' && answer?.errorCode !== ErrorCode.CONCURRENT_TRANSACTIONS) isSure = false
      return said
    })
    if (verdict === 'done') outcome = 'ok'
    else {
      this.#session = undefined
      if (isSure && verdict !== 'again') outcome = 'fail'
    }
    this.#close({ asked, askedAt, outcome })
    return outcome
  }

  /** Without asking for an end: the coordinator has to see to it. */
  giveUp(): void {
    this.#close({ asked: undefined, askedAt: this.#reach.now, outcome: 'info' })
    this.#session = undefined
  }

  #close({ asked, askedAt, outcome }: Pick<Transaction, 'asked' | 'askedAt' | 'outcome'>): void {
    const { name, invokedAt, consumed } = this.#open!
    const { transactionalId, isOld } = this.#options
    this.#options.history.transactions.push({
      name, transactionalId, hasOwnEpoch: !isOld, invokedAt, endedAt: this.#reach.now, asked, askedAt, outcome, ...(consumed === undefined ? {} : { consumed }),
    })
    this.#open = undefined
  }

  #take(session: Session, keepsSequences = false): void {
    this.#session = session
    if (!keepsSequences) this.#nextSequences.clear()
  }

  async #add(place: Topical): Promise<Verdict> {
    const { added } = this.#open!
    if (added.has(keyOf(place))) return 'done'
    const { transactionalId } = this.#options
    const session = this.#session!
    const verdict = await this.#untilSaid(async () => {
      const answer = await this.#ask(() => this.#reach.transactionCoordinator(transactionalId), (wire) => wire.call(addPartitionsToTxnApi, {
        v3AndBelowTransactionalId: transactionalId, v3AndBelowProducerId: session.producerId, v3AndBelowProducerEpoch: session.producerEpoch,
        v3AndBelowTopics: [{ name: place.topic, partitions: [place.partition] }],
      }, { version: 3 }))
      return verdictOf(answer?.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode)
    })
    if (verdict === 'done') added.add(keyOf(place))
    return verdict
  }

  #dismissed(what: string, error: number): void {
    this.#options.history.dismissals.push(`${this.#options.name} has everything before ${what} acknowledged, and was told error ${error}`)
  }

  async #ask<W, T>(find: () => Promise<W>, call: (wire: W) => Promise<T>): Promise<T | undefined> {
    return this.#reach.tried(async () => call(await find()))
  }

  /** 'again' only where patience is at its end. */
  async #untilSaid(ask: () => Promise<Verdict>): Promise<Verdict> {
    for (const until = this.#reach.now + patienceMs; ;) {
      const verdict = await ask()
      if (verdict !== 'again' || this.#reach.now > until) return verdict
      this.#reach.lookAgain()
      await this.#reach.think(pauseMs)
    }
  }
}
