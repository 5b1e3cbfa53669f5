import { test } from 'node:test'
import { expectTrace } from './expect-trace.ts'
import { TransactionScript } from './transaction-script.ts'
import type { TransactionWorldOptions } from './transaction-world.ts'

const run = expectTrace<TransactionWorldOptions>((options) => new TransactionScript(options))

test('a transaction of version 2 begins with what leaders add, and ends with the next epoch', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0 orders/3
  A leader: NONE NONE
  > leader A payments/1
  A leader: NONE
  > describe
  describe: Ongoing 100/0 timeout 60000 began 0 ms ago orders/0 orders/3 payments/1
  > commit A
  A commit: 100/1
  orders/0: commit 100/1 v2 by 0
  orders/3: commit 100/1 v2 by 0
  payments/1: commit 100/1 v2 by 0
  > describe
  describe: CompleteCommit 100/1 timeout 60000 began 0 ms ago
  > leader A orders/0
  A leader: NONE
  > abort A
  A abort: 100/2
  orders/0: abort 100/2 v2 by 0
`))

test('a transaction of an older client keeps its epoch', () => run(`
  > init A v=1
  A init: 100/0
  > add A orders/0 v=1
  A add: NONE
  > verify A orders/0
  A verify: NONE
  > commit A v=4
  A commit: NONE
  orders/0: commit 100/0 v0 by 0
  > commit A v=4
  A commit: NONE
  > add A orders/1
  A add: NONE
  > abort A v=3
  A abort: NONE
  orders/1: abort 100/0 v0 by 0
`))

test('the offsets of a group are part of it, whoever puts them there', () => run(`
  > init A
  A init: 100/0
  > group A g
  A group: NONE
  > group A g verify
  A group: NONE
  > group A other verify
  A group: TRANSACTION_ABORTABLE
  > commit A
  A commit: 100/1
  g: commit 100/1 by 0
  > offsets A h
  A offsets: NONE
  > abort A v=4
  A abort: NONE
  h: abort 100/1 by 0
`))

test('while it is being told how it ends nothing else happens, and a retry says so', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > hold
  > commit A
  A commit: 100/1
  > describe
  describe: PrepareCommit 100/1 timeout 60000 began 0 ms ago orders/0
  > commit A as=100/0
  A commit: CONCURRENT_TRANSACTIONS
  > abort A as=100/0
  A abort: CONCURRENT_TRANSACTIONS
  > commit A as=100/1 v=4
  A commit: CONCURRENT_TRANSACTIONS
  > commit A as=100/0 v=4
  A commit: PRODUCER_FENCED
  > leader A orders/1
  A leader: CONCURRENT_TRANSACTIONS
  > add A orders/1
  A add: CONCURRENT_TRANSACTIONS
  > offsets A g
  A offsets: CONCURRENT_TRANSACTIONS
  > verify A orders/0
  A verify: CONCURRENT_TRANSACTIONS
  > init A goes-on
  A init: CONCURRENT_TRANSACTIONS
  > init B
  B init: CONCURRENT_TRANSACTIONS
  > go
  orders/0: commit 100/1 v2 by 0
  > commit A as=100/0
  A commit: 100/1
  > abort A as=100/0
  A abort: INVALID_TXN_STATE
`))

test('an end is repeated with the same answer, and never with another outcome', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > abort A
  A abort: 100/1
  orders/0: abort 100/1 v2 by 0
  > abort A as=100/0
  A abort: 100/1
  > commit A as=100/0
  A commit: INVALID_TXN_STATE
  > commit A
  A commit: INVALID_TXN_STATE
  > abort A as=100/7
  A abort: PRODUCER_FENCED
  > abort A as=99/1
  A abort: INVALID_PRODUCER_ID_MAPPING
`))

test('nothing was part of it: by version 2 an abort takes an epoch nevertheless, and there is nothing to commit', () => run(`
  > init A
  A init: 100/0
  > commit A
  A commit: INVALID_TXN_STATE
  > abort A
  A abort: 100/1
  > abort A as=100/0
  A abort: 100/1
  > abort A
  A abort: 100/2
  > commit A v=4
  A commit: INVALID_TXN_STATE
  > abort A v=4
  A abort: NONE
`))

test('an older client that ends nothing before its first transaction is told so', () => run(`
  > init A
  A init: 100/0
  > commit A v=4
  A commit: INVALID_TXN_STATE
  > abort A v=4
  A abort: INVALID_TXN_STATE
`))

test('who begins fences who had the id before, in the words of its version', () => run(`
  > init A
  A init: 100/0
  > init B
  B init: 100/1
  > leader A orders/0
  A leader: PRODUCER_FENCED
  > add A orders/0 v=2
  A add: PRODUCER_FENCED
  > add A orders/0 v=1
  A add: INVALID_PRODUCER_EPOCH
  > offsets A g v=2
  A offsets: PRODUCER_FENCED
  > offsets A g v=1
  A offsets: INVALID_PRODUCER_EPOCH
  > commit A v=2
  A commit: PRODUCER_FENCED
  > commit A v=1
  A commit: INVALID_PRODUCER_EPOCH
  > init A goes-on v=4
  A init: PRODUCER_FENCED
  > init A goes-on v=3
  A init: INVALID_PRODUCER_EPOCH
  > leader B orders/0
  B leader: NONE
`))

test('who begins aborts what was open first, and is told to come again', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > init B
  B init: CONCURRENT_TRANSACTIONS
  orders/0: abort 100/1 v2 by 0
  > init B
  B init: 100/2
  > commit A
  A commit: PRODUCER_FENCED
`))

test('a fenced producer that would go on changes nothing of what its successor has open', () => run(`
  > init A
  A init: 100/0
  > init B
  B init: 100/1
  > leader B orders/0
  B leader: NONE
  > init A goes-on
  A init: PRODUCER_FENCED
  > commit B
  B commit: 100/2
  orders/0: commit 100/2 v2 by 0
`))

test('a fenced producer that begins while another one commits does not abort that', () => run(`
  > init A
  A init: 100/0
  > leader A orders/0
  A leader: NONE
  > hold
  > commit A
  A commit: 100/1
  > init B
  B init: CONCURRENT_TRANSACTIONS
  > go
  orders/0: commit 100/1 v2 by 0
  > init B
  B init: 100/2
`))

test('a producer goes on after an error under the next epoch, and may ask twice (KIP-360)', () => run(`
  > init A
  A init: 100/0
  > init A goes-on
  A init: 100/1
  > init A goes-on as=100/0
  A init: 100/1
  > init A goes-on as=100/0 timeout=5000
  A init: 100/1
  > describe
  describe: Empty 100/1 timeout 5000 began never
  > init A goes-on
  A init: 100/2
  > init A goes-on as=100/0
  A init: PRODUCER_FENCED
  > init A goes-on as=99/2
  A init: PRODUCER_FENCED
`))

test('a producer whose id is not known any more gets another one', () => run(`
  > init A goes-on as=7/3
  A init: 100/0
`))

test('half a producer is none, and neither is an empty id', () => run(`
  > init A goes-on as=7/-1
  A init: INVALID_REQUEST
  > init A goes-on as=-1/7
  A init: INVALID_REQUEST
  > init A id=
  A init: INVALID_REQUEST
  > commit A id= as=1/1
  A commit: INVALID_REQUEST
  > add A orders/0 id= as=1/1
  A add: INVALID_REQUEST
`))

test('a timeout is more than nothing, and not more than transaction.max.timeout.ms', () => run(`
  > init A timeout=0
  A init: INVALID_TRANSACTION_TIMEOUT
  > init A timeout=-1
  A init: INVALID_TRANSACTION_TIMEOUT
  > init A timeout=1001
  A init: INVALID_TRANSACTION_TIMEOUT
  > init A timeout=1000
  A init: 100/0
`, { settings: { timeoutMsMax: 1_000 } }))

test('an id that nobody has begun with has no transactions', () => run(`
  > add A orders/0 as=1/1
  A add: INVALID_PRODUCER_ID_MAPPING
  > leader A orders/0 as=1/1
  A leader: INVALID_PRODUCER_ID_MAPPING
  > verify A orders/0 as=1/1
  A verify: INVALID_PRODUCER_ID_MAPPING
  > offsets A g as=1/1
  A offsets: INVALID_PRODUCER_ID_MAPPING
  > commit A as=1/1
  A commit: INVALID_PRODUCER_ID_MAPPING
  > commit A as=1/1 v=4
  A commit: INVALID_PRODUCER_ID_MAPPING
  > describe
  describe: TRANSACTIONAL_ID_NOT_FOUND
  > list
  list: nothing
`))

test('another producer\'s id is not the one', () => run(`
  > init A
  A init: 100/0
  > add A orders/0 as=1/0
  A add: INVALID_PRODUCER_ID_MAPPING
  > verify A orders/0 as=1/0
  A verify: INVALID_PRODUCER_ID_MAPPING
  > verify A orders/0 as=100/1
  A verify: PRODUCER_FENCED
  > abort A as=1/0 v=4
  A abort: INVALID_PRODUCER_ID_MAPPING
`))

test('what is not part of a transaction is told so, in the words of the version', () => run(`
  > init A
  A init: 100/0
  > verify A orders/0
  A verify: TRANSACTION_ABORTABLE
  > add A orders/1
  A add: NONE
  > verify A orders/0 orders/1
  A verify: TRANSACTION_ABORTABLE NONE
  > verify A orders/0 orders/1 v=4
  A verify: INVALID_TXN_STATE NONE
  > commit A v=4
  A commit: NONE
  orders/1: commit 100/0 v0 by 0
  > verify A orders/1
  A verify: TRANSACTION_ABORTABLE
`))

test('of partitions one of which does not exist none is added', () => run(`
  > init A
  A init: 100/0
  > add A orders/0 orders/9 nothing/0
  A add: OPERATION_NOT_ATTEMPTED UNKNOWN_TOPIC_OR_PARTITION UNKNOWN_TOPIC_OR_PARTITION
  > leader A orders/0 orders/-1
  A leader: OPERATION_NOT_ATTEMPTED UNKNOWN_TOPIC_OR_PARTITION
  > describe
  describe: Empty 100/0 timeout 60000 began never
`))

test('a group that cannot be is not part of a transaction', () => run(`
  > init A
  A init: 100/0
  > offsets A ${'g'.repeat(1_001)}
  A offsets: INVALID_GROUP_ID
  > group A ${'g'.repeat(1_001)}
  A group: INVALID_GROUP_ID
`))

test('what was listed and described is what there is', () => run(`
  > init A id=a
  A init: 100/0
  > init B id=b-1
  B init: 101/0
  > init C id=ä
  C init: 102/0
  > leader B orders/0 id=b-1
  B leader: NONE
  > wait 1000
  > list
  list: a 100 Empty, b-1 101 Ongoing, ä 102 Empty
  > list state=Ongoing,Nonsense
  list: b-1 101 Ongoing, not Nonsense
  > list state=Nonsense
  list: nothing, not Nonsense
  > list state=Dead
  list: nothing
  > list producer=100,7
  list: a 100 Empty
  > list duration=999
  list: a 100 Empty, b-1 101 Ongoing, ä 102 Empty
  > list state=Ongoing duration=1000
  list: nothing
  > list pattern=b.*
  list: b-1 101 Ongoing
  > list pattern=b
  list: nothing
  > list pattern=.
  list: a 100 Empty, ä 102 Empty
  > list pattern=(
  list: INVALID_REGULAR_EXPRESSION
  > list pattern=${'a'.repeat(10_001)}
  list: INVALID_REGULAR_EXPRESSION
  > restart
  > list
  list: a 100 Empty, b-1 101 Ongoing, ä 102 Empty
`))
