import type { Attempt, FinalLog, History, Sighting, Transaction } from './history.ts'
import { at, type LogIndex } from './log-index.ts'
import type { Violation } from './violation.ts'

/** How it ended, as a log says it: by the first marker of its producer behind what it wrote. */
export type End = 'commit' | 'abort' | 'open'

/** How transactions have ended, as the logs say it in the end, and what the logs alone show to be wrong with that. */
export class TransactionIndex {
  readonly violations: Violation[] = []
  readonly #transactions: ReadonlyMap<string, Transaction>
  /** By value, of those that are part of a transaction: its name. */
  readonly #of = new Map<string, string>()
  /** By transaction: how each of the logs that have something of it says that it ended. */
  readonly #ends = new Map<string, Set<End>>()
  readonly #index: LogIndex
  /** Producers of which every transaction has an epoch of its own. */
  readonly #withOwnEpochs: ReadonlySet<number>

  constructor(history: History, index: LogIndex) {
    this.#index = index
    this.#transactions = new Map(history.transactions.map((transaction) => [transaction.name, transaction]))
    for (const { transaction, values } of history.attempts) {
      if (transaction !== undefined) for (const value of values) this.#of.set(value, transaction)
    }
    this.#withOwnEpochs = new Set(history.attempts.filter((attempt) => this.#hasOwnEpoch(attempt)).map(({ sequence }) => sequence!.producerId))
    for (const final of history.finals) new LogWalk(this, final).run()
  }

  transactionOf(value: string): Transaction | undefined {
    return this.#transactions.get(this.#of.get(value) ?? '')
  }

  /** As any log says, or, where none has anything of it, as its producer was told. Undefined: nobody knows. */
  endOf({ name, asked, outcome }: Transaction): End | undefined {
    const ends = this.#ends.get(name)
    if (ends !== undefined) return ends.has('commit') ? 'commit' : [...ends][0]
    if (asked !== 'commit' || outcome === 'fail') return 'abort'
    return outcome === 'ok' ? 'commit' : undefined
  }

  endsOf({ name }: Transaction): ReadonlySet<End> {
    return this.#ends.get(name) ?? new Set()
  }

  /** Whether readers of committed records are never to be shown it. */
  isHidden(value: string | undefined): boolean {
    const transaction = value === undefined ? undefined : this.transactionOf(value)
    return transaction !== undefined && this.endOf(transaction) !== 'commit'
  }

  nameOf(value: string): string | undefined {
    return this.#of.get(value)
  }

  ended(name: string, end: End): void {
    const ends = this.#ends.get(name)
    if (ends === undefined) this.#ends.set(name, new Set([end]))
    else ends.add(end)
  }

  isCompacted(final: FinalLog): boolean {
    return this.#index.isCompacted(final)
  }

  hasOwnEpochs(producerId: number): boolean {
    return this.#withOwnEpochs.has(producerId)
  }

  #hasOwnEpoch({ transaction, sequence }: Attempt): boolean {
    return sequence !== undefined && transaction !== undefined && this.#transactions.get(transaction)?.hasOwnEpoch === true
  }
}

/** What a log has shown of one producer so far. */
interface Walked {
  /** The name of what is open. */
  open: string | undefined
  epoch: number
  marker: { readonly epoch: number; readonly kind: 'commit' | 'abort' } | undefined
}

/** One log from its beginning to its end: what transactions wrote, and the markers that end them. I12. */
class LogWalk {
  readonly #ends: TransactionIndex
  readonly #final: FinalLog
  readonly #producers = new Map<number, Walked>()
  readonly #ended = new Map<string, 'commit' | 'abort'>()

  constructor(ends: TransactionIndex, final: FinalLog) {
    this.#ends = ends
    this.#final = final
  }

  run(): void {
    const { batches, records } = this.#final
    let next = 0
    for (const batch of batches) {
      const { baseOffset, lastOffset, producerId, producerEpoch: epoch, isTransactional, marker } = batch
      const until = next
      while (next < records.length && records[next]!.offset <= lastOffset) next++
      if (producerId < 0 || (!isTransactional && marker === undefined)) continue
      const walked = this.#producers.get(producerId) ?? { open: undefined, epoch: -1, marker: undefined }
      this.#producers.set(producerId, walked)
      if (epoch < walked.epoch) this.#late(baseOffset, `is of epoch ${epoch} of producer ${producerId}, behind epoch ${walked.epoch}`)
      walked.epoch = Math.max(walked.epoch, epoch)
      if (marker === undefined) this.#write(walked, records.slice(until, next))
      else this.#mark(walked, { offset: baseOffset, kind: marker, producerId, epoch })
    }
    if (this.#ends.isCompacted(this.#final)) return
    for (const { open } of this.#producers.values()) if (open !== undefined) this.#ends.ended(open, 'open')
  }

  #write(walked: Walked, records: readonly Sighting[]): void {
    for (const { offset, value } of records) {
      const name = this.#ends.nameOf(value)
      // What nobody sent has a rule of its own.
      if (name === undefined) continue
      if (this.#ended.has(name)) this.#late(offset, `'${value}' is of ${name}, which has ended before`)
      else if (walked.open !== undefined && walked.open !== name) this.#late(offset, `'${value}' is of ${name}, while ${walked.open} is open`)
      walked.open = name
    }
  }

  #mark(walked: Walked, { offset, kind, producerId, epoch }: { offset: number; kind: 'commit' | 'abort'; producerId: number; epoch: number }): void {
    const { open, marker: before } = walked
    // Markers may come again; where each transaction has its epoch, they are always the same.
    if (before?.epoch === epoch && before.kind !== kind && this.#ends.hasOwnEpochs(producerId)) {
      this.#late(offset, `is a marker to ${kind} epoch ${epoch} of producer ${producerId}, of which there was one to ${before.kind}`)
    }
    walked.marker = { epoch, kind }
    if (open === undefined) return
    this.#ended.set(open, kind)
    this.#ends.ended(open, kind)
    walked.open = undefined
  }

  #late(offset: number, about: string): void {
    this.#ends.violations.push({ rule: 'late', about: `${at(this.#final, offset)} ${about}` })
  }
}
