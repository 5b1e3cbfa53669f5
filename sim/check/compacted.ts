import type { FinalLog, History, Poll, Sighting, TopicLife } from './history.ts'
import { at, keyOf, type LogIndex } from './log-index.ts'
import type { TransactionIndex } from './transaction-index.ts'
import type { Violation } from './violation.ts'

/** I15: compaction takes what a newer record of the same key replaces, and deletions after their time; it moves nothing. */
export function* checkCompacted(history: History, index: LogIndex, ends: TransactionIndex): Generator<Violation> {
  const lives = new Map(history.topics.map((life) => [life.topicId, life]))
  for (const final of history.finals) {
    if (!index.isCompacted(final)) continue
    const known = new Known(history, { final, life: lives.get(final.topicId)!, ends })
    yield* known.violations
    yield* checkKept(final, known, 'the log')
    yield* checkReturned(final, final.records, known)
    if (final.committed !== undefined) yield* checkReturned(final, final.committed.records, known)
    for (const replica of history.replicas) {
      if (keyOf(replica) === keyOf(final)) yield* checkKept(replica, known, `broker ${replica.broker}`)
    }
    yield* checkSkips(history.polls.filter((poll) => keyOf(poll) === keyOf(final)), known)
  }
}

/** A record that was acknowledged or read. */
interface Placed {
  readonly offset: number
  readonly value: string
  readonly key: string
  readonly isTombstone: boolean
  /** When it was sent first: it was nowhere before. */
  readonly sentAt: number
  /** When its commit was asked for, where it is part of a transaction: it replaces nothing before. */
  readonly countsFrom: number
  /** What a reader of everything is shown may be aborted. */
  readonly isCommitted: boolean
  /** It may count: nobody knows that it is aborted. */
  readonly mayCount: boolean
}

type Sent = Pick<Placed, 'key' | 'isTombstone' | 'sentAt'> & { readonly mayBeWritten: boolean }

/** Everything that anybody knows to have been in one log, as it was before any compaction. */
class Known {
  readonly violations: Violation[] = []
  readonly #final: FinalLog
  readonly #deleteRetentionMs: number
  readonly #sent = new Map<string, Sent>()
  readonly #byOffset = new Map<number, Placed>()
  /** In the order of their offsets. */
  readonly #byKey: ReadonlyMap<string, readonly Placed[]>
  /** Deletions that may have been written, and that nobody has seen: by key, when they were sent. */
  readonly #unseenDeletions = new Map<string, number>()

  constructor(history: History, { final, life, ends }: { readonly final: FinalLog; readonly life: TopicLife; readonly ends: TransactionIndex }) {
    this.#final = final
    // Two brokers may say what time it is.
    this.#deleteRetentionMs = (life.deleteRetentionMs ?? 0) - 2 * history.skewMsMax
    for (const { values, keys, invokedAt, outcome, ...place } of history.attempts.filter((attempt) => keyOf(attempt) === keyOf(final))) {
      values.forEach((value, position) => {
        const before = this.#sent.get(value)
        this.#sent.set(value, {
          key: keys?.[position]?.key ?? '', isTombstone: keys?.[position]?.isTombstone === true,
          sentAt: Math.min(before?.sentAt ?? Infinity, invokedAt), mayBeWritten: before?.mayBeWritten === true || outcome !== 'fail',
        })
        if (outcome === 'ok') this.#place({ offset: place.offset + position, value }, ends)
      })
    }
    for (const poll of history.polls) if (keyOf(poll) === keyOf(final)) for (const record of poll.records) this.#see(record, ends)
    for (const record of final.records) this.#see(record, ends)
    const inOrder = [...this.#byOffset.values()].sort((one, other) => one.offset - other.offset)
    this.#byKey = Map.groupBy(inOrder, ({ key }) => key)
    const placed = new Set(inOrder.map(({ value }) => value))
    for (const [value, { key, isTombstone, sentAt, mayBeWritten }] of this.#sent) {
      if (isTombstone && mayBeWritten && !placed.has(value) && !ends.isHidden(value)) {
        this.#unseenDeletions.set(key, Math.max(this.#unseenDeletions.get(key) ?? 0, sentAt))
      }
    }
  }

  get all(): Iterable<Placed> {
    return this.#byOffset.values()
  }

  at(offset: number): Placed | undefined {
    return this.#byOffset.get(offset)
  }

  /** The newest record of a key that surely counts. */
  newestOf(key: string): Placed | undefined {
    return this.#byKey.get(key)?.findLast(({ isCommitted }) => isCommitted)
  }

  /** Whether compaction may have taken it by then. */
  mayBeGone({ offset, key, isTombstone, sentAt, isCommitted }: Placed, moment: number): boolean {
    if (!isCommitted || (isTombstone && moment - sentAt >= this.#deleteRetentionMs)) return true
    if (this.#byKey.get(key)!.some((other) => other.offset > offset && other.mayCount && other.countsFrom <= moment)) return true
    return (this.#unseenDeletions.get(key) ?? -1) >= sentAt
  }

  #see(record: Sighting, ends: TransactionIndex): void {
    const sent = this.#sent.get(record.value)
    // What nobody sent, and what is damaged, have rules of their own.
    if (sent === undefined) return
    if (record.key !== sent.key || (record.isTombstone === true) !== sent.isTombstone) {
      this.violations.push({ rule: 'changed', about: `${at(this.#final, record.offset)}: '${record.value}' of key ${sent.key} has key ${record.key}` })
    }
    this.#place(record, ends)
  }

  #place({ offset, value }: Pick<Sighting, 'offset' | 'value'>, ends: TransactionIndex): void {
    if (this.#byOffset.has(offset)) return
    const { key, isTombstone, sentAt } = this.#sent.get(value)!
    const transaction = ends.transactionOf(value)
    const end = transaction === undefined ? 'commit' : ends.endOf(transaction)
    const counts = { isCommitted: end === 'commit', mayCount: end === 'commit' || end === undefined, countsFrom: transaction?.askedAt ?? sentAt }
    this.#byOffset.set(offset, { offset, value, key, isTombstone, sentAt, ...counts })
  }
}

function* checkKept(log: FinalLog, known: Known, where: string): Generator<Violation> {
  const there = new Set(log.records.map(({ offset }) => offset))
  for (const placed of known.all) {
    const { offset, value, key } = placed
    if (offset < log.earliest || there.has(offset) || offset >= log.latest || known.mayBeGone(placed, log.readAt)) continue
    yield { rule: 'key lost', about: `${at(log, offset)}: '${value}', the newest of key ${key}, is not in ${where}` }
  }
}

/** Whoever reads all of it must end with what was written last: nothing old comes back. */
function* checkReturned(log: FinalLog, records: readonly Sighting[], known: Known): Generator<Violation> {
  const there = new Set(records.map(({ offset }) => offset))
  for (const { offset, value, key } of records) {
    const [newest, placed] = [known.newestOf(key ?? ''), known.at(offset)]
    if (newest === undefined || placed?.isCommitted !== true || newest.offset <= offset || there.has(newest.offset)) continue
    yield { rule: 'key returned', about: `${at(log, offset)}: '${value}' of key ${key} is there, and ${newest.offset}, which replaced it, is not` }
  }
}

/** A reader sees every record that nothing has replaced by the time at which it has passed it. */
function* checkSkips(polls: readonly Poll[], known: Known): Generator<Violation> {
  const next = new Map<string, number>()
  for (const poll of polls) {
    const { consumer, records, endedAt } = poll
    let expected = next.get(consumer) ?? poll.fetchOffset
    for (const { offset } of records) {
      for (let skipped = expected; skipped < offset; skipped++) {
        const placed = known.at(skipped)
        if (placed === undefined || known.mayBeGone(placed, endedAt)) continue
        yield { rule: 'gap', about: `${consumer} was not shown ${at(poll, skipped)}: '${placed.value}', the newest of key ${placed.key} then` }
      }
      expected = offset + 1
    }
    next.set(consumer, expected)
  }
}
