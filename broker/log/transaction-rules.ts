// The rules that keep transactions whole, by name, so that a test can take one away (cluster/rules.ts has those of replication). Down
// here, because logs, partitions and coordinators keep them.

/** Those that keep transactions whole. */
export type TransactionRule =
  /** What becomes part of a transaction is in the table before it is written to: whoever coordinates it next must end it there. */
  | 'a transaction is known before anything is written in it'
  /** How it ends is in the table before anybody is told: whoever coordinates it next must not decide again. */
  | 'an end is decided before anybody is told'
  /** A partition that is not part of a transaction is never told of its end. */
  | 'a partition takes part before it is written to'
  /** Offsets count with the commit of what was made of them. */
  | 'offsets wait for the end of their transaction'
  /** Readers of committed records see nothing that may still be aborted. */
  | 'readers stop at what is open'
  /** What is in the object store is decided: it never needs to change its mind. */
  | 'what is open stays on the disk'

export interface TransactionRules {
  isRemoved(rule: TransactionRule): boolean
}

export const transactionRuleNames: readonly TransactionRule[] = [
  'a transaction is known before anything is written in it', 'an end is decided before anybody is told',
  'a partition takes part before it is written to', 'offsets wait for the end of their transaction',
  'readers stop at what is open', 'what is open stays on the disk',
]
