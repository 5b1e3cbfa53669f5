import type { Rule, Violation } from '../sim/check/violation.ts'
import type { Episode } from './episode.ts'

const columns: readonly (readonly [title: string, rules: readonly Rule[]])[] = [
  ['lost', ['lost', 'moved', 'trimmed early']],
  ['duplicated', ['duplicate']],
  ['reordered', ['reordered', 'sequence']],
  ['older-epoch acks', ['epoch']],
]

/** What failed without a result: the fault had no effect, or the cluster did not come back. */
export interface Failure {
  readonly name: string
  readonly row: string
  readonly why: string
}

export function isLate({ gapMs, gapMsMax, elsewhere }: Episode): boolean {
  return (gapMsMax !== undefined && gapMs > gapMsMax) || (elsewhere !== undefined && elsewhere.gapMs > elsewhere.gapMsMax)
}

const introduction = `# Faults on real processes

Written by \`npm run test:faults -- --report docs/faults.md\`. Three broker processes share a table (SQLite) and an object
store (a folder); every link, from clients to each broker and from each broker to each other one, goes through a TCP proxy.
Each fault has a topic of its own with 6 partitions, 3 replicas and \`min.insync.replicas=2\`, and on each partition an
idempotent producer with \`acks=all\`, a reader at the tail and one who asks for the latest offset. Load goes on before, during
and after the fault. In the end every partition is read from its first offset, at its leader and at each follower in sync, and
the simulator's checker (\`sim/check\`) holds all of it against what was acknowledged.

For what happens to transactions (F32, F33) four loops consume a partition of it in transactions beside that, one of them as
clients did before KIP-890 and two under one name, and write to a topic of their own that readers of committed records follow. In
the end nothing may be open, and no input may count twice or not at all.

- **row**: the number of the kind of fault, as the comments of sim/faults.ts have it.
- **effect seen**: what shows that the fault did something; one that did nothing fails.
- **longest gap**: between two acknowledgements of one partition, the longest of all partitions, from the beginning of the fault
  on. Clients learn of leaders by asking every broker ten times a second. **gap before it** is the same before the fault, which
  is what the machine does to writes by itself.
- **allowed**: what was promised; *stops* where the fault leaves no way to write. *elsewhere*: partitions that the broker which
  is cut off does not lead. They wait for it as a follower until it has lagged for \`replica.lag.time.max.ms\`, 5 s.
- **in sync after**: from the end of the fault until every replica was in sync and every partition took writes.
- **older-epoch acks**: acknowledgements by a leader's epoch after a newer one has acknowledged something.
- **verdict**: *good*; *late* where the gap is longer than allowed; *UNSAFE* where a promise was broken; *FAILED* where the
  fault had no effect or the cluster did not come back.

`

/** The report with what its columns mean. */
export function pageOf(report: string): string {
  return introduction + report
}

/** One page: a line for each fault, and sums. */
export function reportOf(episodes: readonly Episode[], failures: readonly Failure[]): string {
  const titles = ['fault', 'row', 'effect seen', 'acknowledged', 'longest gap, ms', 'allowed, ms', 'gap before it, ms', 'in sync after, s',
    ...columns.map(([title]) => title), 'other', 'verdict']
  const lines = [
    `| ${titles.join(' | ')} |`, `|${titles.map(() => '---').join('|')}|`,
    ...episodes.map((episode) => `| ${cellsOf(episode).join(' | ')} |`),
    ...failures.map(({ name, row, why }) => `| ${[name, row, why.replaceAll(/\s+/g, ' ').replaceAll('|', '/').slice(0, 200),
      ...titles.slice(4).map(() => ''), 'FAILED'].join(' | ')} |`),
  ]
  return `${lines.join('\n')}\n\n${summaryOf(episodes, failures)}\n`
}

function cellsOf(episode: Episode): string[] {
  const { fault, effect, acknowledged, quietGapMs, recoveryMs, violations } = episode
  const known = columns.flatMap(([, rules]) => rules)
  return [
    fault.name, fault.row, effect, String(acknowledged), ...gapCellsOf(episode),
    quietGapMs.toFixed(0), (recoveryMs / 1000).toFixed(1),
    ...columns.map(([, rules]) => String(countOf(violations, (rule) => rules.includes(rule)))),
    String(countOf(violations, (rule) => !known.includes(rule))),
    violations.length > 0 ? 'UNSAFE' : isLate(episode) ? 'late' : 'good',
  ]
}

/** The longest gap, and what was allowed. */
export function gapCellsOf({ gapMs, gapMsMax, elsewhere }: Episode): string[] {
  const allowed = gapMsMax === undefined ? 'stops' : String(gapMsMax)
  if (elsewhere === undefined) return [gapMs.toFixed(0), allowed]
  return [`${gapMs.toFixed(0)}; elsewhere ${elsewhere.gapMs.toFixed(0)}`, `${allowed}; elsewhere ${elsewhere.gapMsMax}`]
}

function countOf(violations: readonly Violation[], isCounted: (rule: Rule) => boolean): number {
  return violations.filter(({ rule }) => isCounted(rule)).length
}

function summaryOf(episodes: readonly Episode[], failures: readonly Failure[]): string {
  const acknowledged = episodes.reduce((sum, episode) => sum + episode.acknowledged, 0)
  const broken = episodes.flatMap(({ violations }) => violations).length
  const late = episodes.filter(isLate).length
  return `${episodes.length + failures.length} faults, ${acknowledged} acknowledged records, ${broken} broken promises, ` +
    `${late} gaps above their bound, ${failures.length} without a result.`
}
