export interface Violation {
  readonly rule: Rule
  readonly about: string
}

export type Rule =
  /** I1: acknowledged or read, and not there. */
  | 'lost'
  /** I1: there, and not where the acknowledgement said. */
  | 'moved'
  /** I3: two values at one offset. */
  | 'changed'
  /** I5: a value of an idempotent producer twice. */
  | 'duplicate'
  /** I4: refused, and there. */
  | 'refused but written'
  /** What nobody sent, or not to there. */
  | 'phantom'
  /** I16: bytes that are not as they were sent. */
  | 'damaged'
  /** I6: behind what the same producer sent later. */
  | 'reordered'
  /** I7: sequences in the log that do not follow on each other. */
  | 'sequence'
  /** I2, I17: an epoch at work after a newer one. */
  | 'epoch'
  /** I18: two replicas that are in sync, and not the same. */
  | 'unequal'
  /** I8: a reader that goes back, or leaves something out. */
  | 'gap'
  /** Records from outside of what the answer itself says is readable. */
  | 'out of bounds'
  /** I9: an end of the log that is not what it was when the question was asked. */
  | 'stale'
  /** Deleted before its time. */
  | 'trimmed early'
  /** I10: a committed offset that no order of the commits explains. */
  | 'commit'
  /** I4: committed records only were asked for, and this one is aborted, or not committed yet. */
  | 'uncommitted read'
  /** Committed, and hidden from readers of committed records. */
  | 'hidden'
  /** I11: a part of a transaction counts and a part does not, or it has counted twice. */
  | 'torn'
  /** I11: a transaction has not ended as its producer was told, or asked for. */
  | 'other end'
  /** I12: what is behind the end of its transaction. */
  | 'late'
  /** L3: a transaction that nobody ends. */
  | 'hanging'
  /** I15: the newest record of a key is gone. */
  | 'key lost'
  /** I15: an older record of a key is there again, although the newest one is not. */
  | 'key returned'
  /** An answer that says that what was acknowledged never was. */
  | 'dismissed'
  /** A broker that failed in a way that it must not. */
  | 'defect'
  /** No progress although nothing stands in the way. */
  | 'stuck'
