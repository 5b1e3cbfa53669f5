// Holds a history against what was promised (I1 to I12 and I15 to I18 as clients can see them, L3). It knows nothing of the
// broker. It is itself tested: mutations of good histories must all be caught (test/checker/simulated-history.test.ts).

import { checkAcks, checkOrder } from './acks.ts'
import { checkOffsets } from './committed.ts'
import { checkCompacted } from './compacted.ts'
import { checkConsumed } from './consumed.ts'
import { checkFinals, checkReplicas } from './finals.ts'
import type { History } from './history.ts'
import { LogIndex } from './log-index.ts'
import { checkEnds, checkPolls } from './reads.ts'
import { checkRetained } from './retained.ts'
import { TransactionIndex } from './transaction-index.ts'
import { checkCommittedReads, checkTransactions } from './transactions.ts'
import type { Violation } from './violation.ts'

/** Every broken promise; empty for a good history. */
export function check(history: History): Violation[] {
  const index = new LogIndex(history)
  const ends = new TransactionIndex(history, index)
  return [
    ...history.defects.map((about): Violation => ({ rule: 'defect', about })),
    ...history.dismissals.map((about): Violation => ({ rule: 'dismissed', about })),
    ...checkFinals(history, index),
    ...checkReplicas(history, index),
    ...checkAcks(history, index),
    ...checkOrder(history, index),
    ...checkPolls(history, index, ends),
    ...checkEnds(history),
    ...checkRetained(history),
    ...checkOffsets(history),
    ...ends.violations,
    ...checkTransactions(history, ends),
    ...checkCommittedReads(history, index, ends),
    ...checkConsumed(history, ends),
    ...checkCompacted(history, index, ends),
  ]
}
