// Medians of runs, and ratios between brokers, as a table in Markdown.

import type { Samples } from './measurements.ts'

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

interface Row {
  readonly name: string
  readonly unit: string
  readonly digits: number
  /** Of Longtail to Apache Kafka, at equal flush policy; `least`: the ratio must be at least so, otherwise at most. */
  readonly goal?: { readonly ratio: number; readonly least: boolean }
}

function rowOf(name: string): Row {
  const [what, kind] = name.split('|') as [string, string?]
  const isProduce = what.startsWith('produce')
  switch (kind) {
    case 'rate':
      return { name: what, unit: 'MB/s', digits: 0, goal: { ratio: isProduce ? 1.1 : 1, least: true } }
    case 'records':
      return { name: what, unit: 'records/s', digits: 0 }
    case 'cpu':
      return { name: what, unit: 'broker CPU s per GB', digits: 2, goal: { ratio: isProduce ? 0.8 : 1, least: false } }
  }
  switch (what) {
    case 'settled':
      return {
        name: 'produce, 1 KiB, and all that follows from it', unit: 'broker CPU s per GB', digits: 2,
        goal: { ratio: 0.8, least: false },
      }
    case 'latency p50':
      return { name: `end-to-end latency at ${Number(kind).toLocaleString('en-US')} records/s, p50`, unit: 'ms', digits: 2, goal: { ratio: 1, least: false } }
    case 'latency p99':
      return { name: 'the same, p99', unit: 'ms', digits: 2, goal: { ratio: 0.8, least: false } }
    case 'latency p99.9':
      return { name: 'the same, p99.9', unit: 'ms', digits: 2 }
    case 'rss':
      return { name: 'resident memory after all of it', unit: 'MiB', digits: 0, goal: { ratio: 0.25, least: false } }
    case 'peak':
      return { name: 'the most it ever was', unit: 'MiB', digits: 0 }
    case 'gap killed':
      return { name: 'longest gap in writes, leader killed', unit: 'ms', digits: 0, goal: { ratio: 1, least: false } }
    case 'gap stopped':
      return { name: 'longest gap in writes, leader stopped in order', unit: 'ms', digits: 0 }
    case 'txn plain p50':
      return { name: 'one record of an idempotent producer, p50', unit: 'ms', digits: 2 }
    case 'txn plain p99':
      return { name: 'the same, p99', unit: 'ms', digits: 2 }
    case 'txn transactional p50':
      return { name: 'one record in a transaction, to its commit, p50', unit: 'ms', digits: 2, goal: { ratio: 1, least: false } }
    case 'txn transactional p99':
      return { name: 'the same, p99', unit: 'ms', digits: 2 }
    case 'txn plain rate':
      return { name: 'rounds of 1,000 records of 1 KiB', unit: 'MB/s', digits: 1 }
    case 'txn transactional rate':
      return { name: 'transactions of 1,000 records of 1 KiB', unit: 'MB/s', digits: 1, goal: { ratio: 1, least: true } }
    case 'txn share':
      return { name: 'transactional to plain throughput', unit: '', digits: 2, goal: { ratio: 1, least: true } }
    case 'txn commits':
      return { name: 'commits to the table per transaction', unit: '', digits: 2 }
    case 'txn items':
      return { name: 'items in them', unit: '', digits: 2 }
    case 'start':
      return { name: 'start to first acknowledged record', unit: 'ms', digits: 0, goal: { ratio: 1 / 3, least: false } }
    default:
      throw new TypeError(`nothing is called ${name}`)
  }
}

export interface Column {
  readonly name: string
  readonly samples: Samples
}

function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return ''
  const middle = median(values).toFixed(digits)
  return values.length < 2
    ? middle
    : `${middle} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`
}

function ratio(of: number | undefined, to: number | undefined): string {
  return of === undefined || to === undefined ? '' : (of / to).toFixed(2)
}

/** `columns`: Longtail at Kafka's flush policy, Apache Kafka, and Longtail with fsync. */
export function table(columns: readonly [Column, Column, Column]): string {
  const names = [...columns[0].samples.keys()]
  const lines = [
    `| | unit | ${columns.map(({ name }) => name).join(' | ')} | ratio | goal | fsync ratio |`,
    '|---|---|---:|---:|---:|---:|---:|---:|',
  ]
  for (const name of names) {
    const row = rowOf(name)
    const cells = columns.map(({ samples }) => spread(samples.get(name) ?? [], row.digits))
    const [ours, theirs, synced] = columns.map(({ samples }) => (samples.has(name) ? median(samples.get(name)!) : undefined))
    const reached =
      ours === undefined || theirs === undefined || row.goal === undefined
        ? ''
        : (row.goal.least ? ours / theirs >= row.goal.ratio : ours / theirs <= row.goal.ratio)
          ? ', met'
          : ', missed'
    const goal = row.goal === undefined ? '' : `${row.goal.least ? 'at least' : 'at most'} ${row.goal.ratio.toFixed(2)}${reached}`
    lines.push(
      `| ${row.name} | ${row.unit} | ${cells.join(' | ')} | ${ratio(ours, theirs)} | ${goal} | ${ratio(synced, theirs)} |`,
    )
  }
  return lines.join('\n')
}
