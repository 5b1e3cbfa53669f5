// The rules that keep an acknowledged record, and transactions whole, each with what is lost without it. They are here by name so
// that a test can take one away and see that the checkers notice (docs/invariants.md, model/); a broker always keeps all of them.

export type Rule =
  /** A replica leaves the set that the high watermark waits for only once the metadata log says so. */
  | 'a shrink counts once it is confirmed'
  /** A replica that is proposed is waited for from the proposal on: it may be elected before its leader knows. */
  | 'a proposed member is waited for'
  /** Neither counts a follower for what it held under another leader. */
  | 'fetches are checked for the leader epoch'
  /** A follower cuts off what its leader does not have. */
  | 'followers truncate'
  /** By the lineage of epochs, and not by a high watermark that always lags behind. */
  | 'followers truncate by epoch'
  /** A follower that has less than what was committed in earlier epochs may not be elected. */
  | 'a member has all of earlier epochs'
  /** Fetches of an earlier start of a broker say nothing of what its disk has now (KIP-903). */
  | 'a member is of the incarnation that fetched'
  /** A proposal was made of one state of the partition, and counts for that one alone. */
  | 'a change is of the newest partition epoch'
  /** What a broker acknowledged under an epoch may be gone when it starts again. */
  | 'a restart takes a new epoch'
  /** Only who has everything committed may lead. */
  | 'leaders come from the in-sync replicas'
  /** A broker that lost its end has not what was committed. */
  | 'a loss leaves the in-sync replicas'
  /** Below `min.insync.replicas` nothing is committed, and nobody is left out for being away. */
  | 'the in-sync replicas are never too few'

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

export type AnyRule = Rule | TransactionRule

export type Rules = { readonly isRemoved: (rule: AnyRule) => boolean }

export const allRules: Rules = { isRemoved: () => false }

/** All but some: for tests. */
export function rulesWithout(...removed: readonly AnyRule[]): Rules {
  return { isRemoved: (rule) => removed.includes(rule) }
}

export const ruleNames: readonly Rule[] = [
  'a shrink counts once it is confirmed', 'a proposed member is waited for', 'fetches are checked for the leader epoch',
  'followers truncate', 'followers truncate by epoch', 'a member has all of earlier epochs',
  'a member is of the incarnation that fetched', 'a change is of the newest partition epoch', 'a restart takes a new epoch',
  'leaders come from the in-sync replicas', 'a loss leaves the in-sync replicas', 'the in-sync replicas are never too few',
]

export const transactionRuleNames: readonly TransactionRule[] = [
  'a transaction is known before anything is written in it', 'an end is decided before anybody is told',
  'a partition takes part before it is written to', 'offsets wait for the end of their transaction',
  'readers stop at what is open', 'what is open stays on the disk',
]
