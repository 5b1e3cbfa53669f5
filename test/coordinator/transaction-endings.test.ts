import { test } from 'node:test'
import { expectTrace } from './expect-trace.ts'
import { TransactionScript } from './transaction-script.ts'
import type { TransactionWorldOptions } from './transaction-world.ts'

const run = expectTrace<TransactionWorldOptions>((options) => new TransactionScript(options))

test('a transaction is aborted when its time is over, and its producer is fenced', () => run(`
  > init A timeout=1000
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > wait 600
  > leader A orders/1
  A leader: NONE
  > wait 399
  > wait 1
  orders/0: abort 100/1 v2 by 0
  orders/1: abort 100/1 v2 by 0
  > leader A orders/2
  A leader: PRODUCER_FENCED
  > commit A
  A commit: INVALID_TXN_STATE
  > abort A
  A abort: 100/1
  > commit A v=4 as=100/0
  A commit: PRODUCER_FENCED
`))

test('each transaction has its own time, and an id that has none open waits for ever', () => run(`
  > init A timeout=1000
  A init: 100/0
  > wait 5000
  > leader A orders/0
  A leader: NONE
  > wait 900
  > commit A
  A commit: 100/1
  orders/0: commit 100/1 v2 by 0
  > leader A orders/0
  A leader: NONE
  > wait 900
  > commit A
  A commit: 100/2
  orders/0: commit 100/2 v2 by 0
  > wait 100000
  > describe
  describe: CompleteCommit 100/2 timeout 1000 began 100900 ms ago
`))

test('an older client\'s transaction that takes too long ends with the next epoch as well', () => run(`
  > init A timeout=1000 v=3
  A init: 100/0
  > add A orders/0
  A add: NONE
  > wait 1000
  orders/0: abort 100/1 v2 by 0
  > commit A v=3
  A commit: PRODUCER_FENCED
`))

test('a new owner goes on where the time of a transaction is, without that anybody asks', () => run(`
  > init A timeout=10000
  A init: 100/0
  > leader A orders/0 orders/1
  A leader: NONE NONE
  > offsets A g
  A offsets: NONE
  > wait 4000
  > restart
  > wait 5999
  > wait 1
  g: abort 100/1 by 1
  orders/0: abort 100/1 v2 by 1
  orders/1: abort 100/1 v2 by 1
`))

test('a transaction whose time is over when it is loaded is aborted at once', () => run(`
  > init A timeout=10000
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > restart
  > wait 0
  > restart
  > wait 10000
  orders/0: abort 100/1 v2 by 2
`))

test('a new owner tells what was decided, under an epoch of its own', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > hold
  > commit A
  A commit: 100/1
  > restart
  orders/0: commit 100/1 v2 by 0
  > wait 0
  orders/0: commit 100/1 v2 by 1
  > commit A as=100/0
  A commit: 100/1
  > restart
  > wait 0
  orders/0: commit 100/1 v2 by 2
  > leader A orders/0
  A leader: NONE
  > restart
  > wait 0
  > abort A
  A abort: 100/2
  orders/0: abort 100/2 v2 by 3
`))

test('who adds to the next transaction waits a moment for the one before to be told', () => run(`
  > init A
  A init: 100/0
  > add A orders/0
  A add: NONE
  > hold
  > commit A v=4
  A commit: NONE
  > add A orders/1
  > leader A orders/2
  > offsets A g
  > verify A orders/0
  A verify: CONCURRENT_TRANSACTIONS
  > wait 9
  > wait 1
  A leader: CONCURRENT_TRANSACTIONS
  > go
  A add: NONE
  A offsets: NONE
  orders/0: commit 100/0 v0 by 0
  > hold
  > commit A
  A commit: 100/1
  > add A orders/0
  > wait 99
  > wait 1
  A add: CONCURRENT_TRANSACTIONS
  > add A orders/0
  > restart
  A add: COORDINATOR_NOT_AVAILABLE
  g: commit 100/1 by 0
  orders/1: commit 100/1 v2 by 0
`, { limits: { patienceMs: { alone: 100, besideOthers: 10 } } }))

test('that a transaction is complete is written down after a while, and then not told again', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > commit A
  A commit: 100/1
  orders/0: commit 100/1 v2 by 0
  > wait 5000
  > restart
  > wait 0
  > commit A as=100/0
  A commit: 100/1
`))

test('who is not told at once is told later, wherever it is by then', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0 orders/1 orders/2
  A leader: NONE NONE NONE
  > group A g
  A group: NONE
  > refuse orders/0 NOT_LEADER_OR_FOLLOWER,NOT_ENOUGH_REPLICAS,REQUEST_TIMED_OUT
  > refuse g COORDINATOR_NOT_AVAILABLE,NOT_COORDINATOR
  > lead orders/1:nobody
  > commit A
  A commit: 100/1
  g: commit 100/1 by 0 refused
  orders/0: commit 100/1 v2 by 0 refused
  orders/2: commit 100/1 v2 by 0
  > leader A orders/0
  A leader: CONCURRENT_TRANSACTIONS
  > lead orders/1:2
  > wait 10
  g: commit 100/1 by 0 refused
  orders/0: commit 100/1 v2 by 0 refused
  orders/1: commit 100/1 v2 by 0
  > wait 10000
  g: commit 100/1 by 0
  orders/0: commit 100/1 v2 by 0 refused
  orders/0: commit 100/1 v2 by 0
  > leader A orders/0
  A leader: NONE
`))

test('a producer that is further than the marker has had its end there', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > refuse orders/0 INVALID_PRODUCER_EPOCH
  > commit A
  A commit: 100/1
  orders/0: commit 100/1 v2 by 0 refused
  > leader A orders/0
  A leader: NONE
`))

test('who hears of a later coordinator reads again what there is', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0 orders/1
  A leader: NONE NONE
  > refuse orders/0 TRANSACTION_COORDINATOR_FENCED
  > commit A
  A commit: 100/1
  orders/0: commit 100/1 v2 by 0 refused
  orders/1: commit 100/1 v2 by 0
  > wait 1000
  orders/0: commit 100/1 v2 by 1
  orders/1: commit 100/1 v2 by 1
`))

test('a topic that is deleted is not waited for, and one that is made anew is another one', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0 payments/0
  A leader: NONE NONE
  > forget orders
  > create orders:another
  > describe
  describe: Ongoing 100/0 timeout 60000 began 0 ms ago payments/0
  > verify A orders/0
  A verify: TRANSACTION_ABORTABLE
  > commit A
  A commit: 100/1
  payments/0: commit 100/1 v2 by 0
  > leader A orders/0
  A leader: NONE
`))

test('a topic that is deleted while it is tried again is let go of', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > lead orders/0:nobody
  > commit A
  A commit: 100/1
  > forget orders
  > wait 1000
  > leader A payments/0
  A leader: NONE
`))

test('an id that nobody uses is forgotten, and begins anew', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > init B id=open timeout=800000
  B init: 101/0
  > leader B orders/0 id=open
  B leader: NONE
  > commit A
  A commit: 100/1
  orders/0: commit 100/1 v2 by 0
  > restart
  > wait 500000
  orders/0: commit 100/1 v2 by 1
  > wait 160000
  > list
  list: open 101 Ongoing
  > leader A orders/0
  A leader: INVALID_PRODUCER_ID_MAPPING
  > init A goes-on
  A init: 102/0
  > leader A orders/0
  A leader: NONE
  > commit A
  A commit: 102/1
  orders/0: commit 102/1 v2 by 2
`, { settings: { idExpirationMs: 600_000 } }))
