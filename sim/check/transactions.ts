import type { History, Poll } from './history.ts'
import { at, type LogIndex } from './log-index.ts'
import type { TransactionIndex } from './transaction-index.ts'
import type { Violation } from './violation.ts'

/** I11, L3: each transaction has ended in one way, the same everywhere, which is the one that its producer was told. */
export function* checkTransactions(history: History, ends: TransactionIndex): Generator<Violation> {
  for (const transaction of history.transactions) {
    const { name, asked, outcome } = transaction
    const found = ends.endsOf(transaction)
    if (found.has('open')) yield { rule: 'hanging', about: `${name} has not ended` }
    if (found.has('commit') && found.size > 1) yield { rule: 'torn', about: `${name} is ${[...found].join(' and ')}` }
    const isAborted = found.has('abort') || found.has('open')
    if (asked === 'commit' && outcome === 'ok' && isAborted) yield { rule: 'other end', about: `${name} was to be committed, which was acknowledged, and is not` }
    if ((asked !== 'commit' || outcome === 'fail') && found.has('commit')) {
      yield { rule: 'other end', about: `${name} is committed; its producer asked for ${asked ?? 'nothing'}${asked === 'commit' ? ' and was refused' : ''}` }
    }
  }
  for (const final of history.finals) {
    if (final.committed !== undefined && final.committed.end < final.latest) {
      yield { rule: 'hanging', about: `${at(final, final.committed.end)} is as far as it is stable, and ${final.latest} is its end` }
    }
  }
}

/** I4: whoever reads committed records sees those, all of them, and nothing before its commit was asked for. */
export function* checkCommittedReads(history: History, index: LogIndex, ends: TransactionIndex): Generator<Violation> {
  for (const poll of history.polls) {
    if (poll.lastStable !== undefined) yield* checkPoll(poll, ends)
  }
  for (const final of history.finals) {
    if (final.committed === undefined) continue
    const seen = new Set(final.committed.records.map(({ offset }) => offset))
    for (const { offset, value } of final.committed.records) {
      if (ends.isHidden(value)) yield { rule: 'uncommitted read', about: `${at(final, offset)}: '${value}' is read in the end, and is not committed` }
    }
    // Between two reads compaction may have taken something.
    if (index.isCompacted(final)) continue
    for (const { offset, value } of final.records) {
      if (!seen.has(offset) && !ends.isHidden(value)) yield { rule: 'hidden', about: `${at(final, offset)}: '${value}' is committed, and is not read` }
    }
  }
}

function* checkPoll(poll: Poll, ends: TransactionIndex): Generator<Violation> {
  for (const { offset, value } of poll.records) {
    const transaction = ends.transactionOf(value)
    if (transaction === undefined) continue
    if (ends.isHidden(value)) yield { rule: 'uncommitted read', about: `${poll.consumer} saw '${value}' at ${at(poll, offset)}, which is not committed` }
    else if (transaction.askedAt > poll.endedAt) {
      yield { rule: 'uncommitted read', about: `${poll.consumer} saw '${value}' at ${at(poll, offset)} before anybody asked for its commit` }
    }
  }
}
