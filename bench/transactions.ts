// What transactions cost: the same records in rounds, in a transaction each or without. Small rounds show what waits are
// added to one record, large ones what is left of the throughput; and of Longtail, what a transaction writes to the table.

import { type Rounds, rounds } from './clients.ts'
import { note, type Samples, withTopic } from './measurements.ts'
import type { Subject, TableWrites } from './subject.ts'

export interface TransactionSizes {
  /** Rounds of one record. */
  readonly small: number
  /** Rounds of a thousand. */
  readonly large: number
}

const bytes = 1024
const largeRecords = 1000

export async function measureTransactions(subject: Subject, sizes: TransactionSizes, samples: Samples): Promise<void> {
  const small = await bothWays(subject, { rounds: sizes.small, records: 1 })
  for (const kind of ['plain', 'transactional'] as const) {
    note(samples, `txn ${kind} p50`, small[kind].p50 / 1000)
    note(samples, `txn ${kind} p99`, small[kind].p99 / 1000)
  }
  const large = await bothWays(subject, { rounds: sizes.large, records: largeRecords })
  const rate = ({ rounds: of, seconds }: Rounds) => (of * largeRecords * bytes) / 1e6 / seconds
  for (const kind of ['plain', 'transactional'] as const) note(samples, `txn ${kind} rate`, rate(large[kind]))
  note(samples, 'txn share', rate(large.transactional) / rate(large.plain))
  if (small.table === undefined) return
  note(samples, 'txn commits', small.table.commits / sizes.small)
  note(samples, 'txn items', small.table.items / sizes.small)
}

interface BothWays {
  readonly plain: Rounds
  readonly transactional: Rounds
  /** What all of the transactions wrote; undefined where there is no table. */
  readonly table: TableWrites | undefined
}

function bothWays(subject: Subject, of: { readonly rounds: number; readonly records: number }): Promise<BothWays> {
  return withTopic(subject, async (topic) => {
    const load = { bootstrap: subject.bootstrap, topic, bytes, ...of }
    const plain = await rounds('plain', load)
    const before = await subject.transactionWrites?.()
    const transactional = await rounds('transactional', load)
    const after = await subject.transactionWrites?.()
    const table = before === undefined || after === undefined ? undefined : { commits: after.commits - before.commits, items: after.items - before.items }
    return { plain, transactional, table }
  })
}
