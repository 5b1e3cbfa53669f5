import assert from 'node:assert/strict'
import { test } from 'node:test'
import { itemKey } from '../../broker/coordinator/transactions/transaction-items.ts'
import type { Json, Table } from '../../broker/table/table.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { expectTrace } from './expect-trace.ts'
import { TransactionScript } from './transaction-script.ts'
import type { TransactionWorldOptions } from './transaction-world.ts'

const run = expectTrace<TransactionWorldOptions>((options) => new TransactionScript(options))

/** A table that holds producer 7 of the id `t`, at an epoch that would take months to reach. */
async function atEpoch(epoch: number): Promise<Table> {
  const table = new MemoryTable()
  const value: Json = {
    kind: 'live', owner: 9, coordinatorEpoch: 4, state: 'Empty', producer: [7, epoch], last: [-1, -1], next: -1, timeoutMs: 1_000,
    startedAt: -1, changedAt: 1_700_000_000_000, version: 0, partitions: {}, groups: [],
  }
  const { committed } = await table.commit([{ kind: 'put', key: itemKey('t'), value, expect: 'absent' }])
  assert.ok(committed)
  return table
}

test('a producer that has used up its epochs goes on with another id, and may end twice', async () => run(`
  > init A goes-on as=7/32765
  A init: 7/32766
  > leader A orders/0
  A leader: NONE
  > hold
  > commit A
  A commit: 100/0
  > leader A orders/0
  A leader: CONCURRENT_TRANSACTIONS
  > commit A as=7/32766
  A commit: CONCURRENT_TRANSACTIONS
  > go
  orders/0: commit 7/32767 v2 by 5
  > commit A as=7/32766
  A commit: 100/0
  > abort A as=7/32766
  A abort: INVALID_TXN_STATE
  > leader A orders/0
  A leader: NONE
  > commit A as=7/32766
  A commit: PRODUCER_FENCED
  > commit A
  A commit: 100/1
  orders/0: commit 100/1 v2 by 5
`, { table: await atEpoch(32_765) }))

test('a new owner gives the id that was meant for it', async () => run(`
  > init A goes-on as=7/32765
  A init: 7/32766
  > leader A orders/0
  A leader: NONE
  > hold
  > commit A
  A commit: 100/0
  > restart
  orders/0: commit 7/32767 v2 by 5
  > wait 0
  orders/0: commit 7/32767 v2 by 6
  > commit A as=7/32766
  A commit: 100/0
  > leader A orders/1
  A leader: NONE
`, { table: await atEpoch(32_765) }))

test('who begins, or goes on, behind the last epoch gets another id', async () => {
  await run(`
    > init B
    B init: 100/0
  `, { table: await atEpoch(32_766) })
  await run(`
    > init A goes-on as=7/32766
    A init: 100/0
    > init A goes-on as=7/32766
    A init: 100/0
    > init B
    B init: 100/1
    > init A goes-on as=7/32766
    A init: PRODUCER_FENCED
  `, { table: await atEpoch(32_766) })
})

test('a retry at the last epoch does not take another id', async () => run(`
  > init A goes-on as=7/32765
  A init: 7/32766
  > init A goes-on as=7/32765
  A init: 7/32766
`, { table: await atEpoch(32_765) }))

test('a transaction of the last epoch that takes too long is aborted under another id', async () => run(`
  > init A goes-on as=7/32765 timeout=1000
  A init: 7/32766
  > leader A orders/0
  A leader: NONE
  > wait 1000
  orders/0: abort 7/32767 v2 by 5
  > init A goes-on
  A init: 100/0
  > init B
  B init: 100/1
`, { table: await atEpoch(32_765) }))

test('who begins while the last epoch has a transaction open aborts that', async () => run(`
  > init A goes-on as=7/32765
  A init: 7/32766
  > add A orders/0
  A add: NONE
  > init B
  B init: CONCURRENT_TRANSACTIONS
  orders/0: abort 7/32767 v2 by 5
  > init B
  B init: 100/1
  > commit A v=4 as=7/32766
  A commit: INVALID_PRODUCER_ID_MAPPING
`, { table: await atEpoch(32_765) }))
