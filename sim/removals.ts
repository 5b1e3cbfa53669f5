import { type AnyRule, type Rule, ruleNames, type TransactionRule } from '../broker/runtime/rules.ts'
import type { FaultName } from './faults.ts'
import { type GivenOptions, optionsOf, type RunOptions } from './options.ts'

/** What a cluster meets that does not keep a rule, so that its loss comes to light within a few seeds. */
const trials: Readonly<Record<Rule, readonly FaultName[]>> = {
  'a shrink counts once it is confirmed': ['unheard shrink'],
  'a proposed member is waited for': ['unheard join'],
  'fetches are checked for the leader epoch': ['late fetch'],
  'followers truncate': ['kill', 'pause', 'isolation', 'one-way cut', 'power loss', 'unheard shrink'],
  'followers truncate by epoch': ['kill', 'pause', 'power loss', 'slow network', 'restart'],
  'a member has all of earlier epochs': ['return at a change of leader'],
  'a member is of the incarnation that fetched': ['old position'],
  'a change is of the newest partition epoch': ['old change'],
  'a restart takes a new epoch': ['disk lost', 'crash loop', 'one-way cut', 'empty return'],
  'leaders come from the in-sync replicas': ['kill', 'pause', 'isolation', 'restart', 'disk lost'],
  'a loss leaves the in-sync replicas': ['empty return'],
  'the in-sync replicas are never too few': ['full followers'],
}

/** The same for transactions, which go on all the time. */
const transactionTrials: Readonly<Record<TransactionRule, readonly FaultName[]>> = {
  'a transaction is known before anything is written in it': ['kill', 'restart'],
  'an end is decided before anybody is told': ['kill', 'slow network', 'one-way cut'],
  'a partition takes part before it is written to': [],
  'offsets wait for the end of their transaction': [],
  'readers stop at what is open': [],
  'what is open stays on the disk': [],
}

export const isOfReplication = (rule: AnyRule): rule is Rule => ruleNames.includes(rule as Rule)

/** A run of three brokers without one rule, under a small load and with no peace between the faults. */
export function trialOf(rule: AnyRule, { seed }: Pick<GivenOptions, 'seed'>): RunOptions {
  const isReplication = isOfReplication(rule)
  const options = optionsOf({ seed, minutes: 0.5, brokers: 3, without: [rule], faults: isReplication ? trials[rule] : transactionTrials[rule] })
  const small = { partitions: 1, thinkMs: 200, fillerBytesMax: 20, faultEveryMs: 2_000, moveMs: 0, compacted: 'none' as const }
  // Segments of transactions go to the object store while the run lasts.
  return { ...options, ...small, segmentBytes: isReplication ? 65_536 : 4_096, hasTransactions: !isReplication }
}
