// Holds a history against what was promised (I1 to I10 and I16, I17 as clients can see them). It knows nothing of the
// broker. It is itself tested: mutations of good histories must all be caught (test/checker/simulated-mutations.test.ts).

import { checkAcks, checkOrder } from './acks.ts'
import { checkOffsets } from './committed.ts'
import { checkFinals, checkReplicas } from './finals.ts'
import type { History } from './history.ts'
import { LogIndex } from './log-index.ts'
import { checkEnds, checkPolls } from './reads.ts'
import { checkRetained } from './retained.ts'
import type { Violation } from './violation.ts'

/** Every broken promise; empty for a good history. */
export function check(history: History): Violation[] {
  const index = new LogIndex(history)
  return [
    ...history.defects.map((about): Violation => ({ rule: 'defect', about })),
    ...history.dismissals.map((about): Violation => ({ rule: 'dismissed', about })),
    ...checkFinals(history),
    ...checkReplicas(history),
    ...checkAcks(history, index),
    ...checkOrder(history, index),
    ...checkPolls(history, index),
    ...checkEnds(history),
    ...checkRetained(history),
    ...checkOffsets(history),
  ]
}
