import { test } from 'node:test'
import { ClassicScript } from './classic-script.ts'
import { expectTrace } from './expect-trace.ts'
import type { WorldOptions } from './world.ts'

const run = expectTrace<WorldOptions>((options) => new ClassicScript(options))

/** What most scripts begin with: A leads a stable generation 1. */
const stable = `
  > join A
  A join: MEMBER_ID_REQUIRED
  > join A
  > wait 3000
  A join: generation 1, range, leader A, leads A
  > sync A A=all
  A sync: assigned "all"`

test('a member is given an id, waits for others, leads, and assigns', () => run(`
  > join A
  A join: MEMBER_ID_REQUIRED
  > join A
  > describe
  describe: PreparingRebalance A:""
  > wait 3000
  A join: generation 1, range, leader A, leads A
  > describe
  describe: CompletingRebalance A:""
  > commit A orders/0=3
  A commit: REBALANCE_IN_PROGRESS
  > sync A A=all
  A sync: assigned "all"
  > describe
  describe: Stable range A:"all"
  > list
  list: g classic consumer Stable
  > beat A
  A beat: NONE
  > commit A orders/0=3
  A commit: NONE
  > fetch orders/0
  fetch: orders/0=3 epoch 7 "m"
`))

test('the first rebalance waits longer while members keep coming, but not for ever', () => run(`
  > join A v=3 rebalance=7000
  > wait 2900
  > join B v=3 rebalance=7000
  > wait 2900
  > join C v=3 rebalance=7000
  > wait 3100
  A join: generation 1, range, leader A, leads A B C
  B join: generation 1, range, leader A
  C join: generation 1, range, leader A
`))

test('a second member makes the first one join again', () => run(`${stable}
  > join B
  B join: MEMBER_ID_REQUIRED
  > beat A
  A beat: NONE
  > join B
  > beat A
  A beat: REBALANCE_IN_PROGRESS
  > commit A orders/1=1
  A commit: NONE
  > join A
  A join: generation 2, range, leader A, leads A B
  B join: generation 2, range, leader A
  > sync B
  > beat B
  B beat: NONE
  > sync A A=one B=two
  B sync: assigned "two"
  A sync: assigned "one"
  > beat A generation=1
  A beat: ILLEGAL_GENERATION
  > commit A orders/1=1 generation=1
  A commit: ILLEGAL_GENERATION
`))

test('whoever does not join in time is left behind, and another leads', () => run(`${stable}
  > join B v=3 rebalance=5000 session=300000
  > wait 9000
  > beat A
  A beat: REBALANCE_IN_PROGRESS
  > wait 51000
  B join: generation 2, range, leader B, leads B
  > beat A
  A beat: UNKNOWN_MEMBER_ID
`))

test('a member that falls silent is removed after its session', () => run(`${stable}
  > wait 9999
  > beat A
  A beat: NONE
  > wait 10000
  > describe
  describe: Empty
  > beat A
  A beat: UNKNOWN_MEMBER_ID
`))

test('a commit keeps a member alive like a heartbeat', () => run(`${stable}
  > wait 9999
  > commit A orders/0=1
  A commit: NONE
  > wait 9999
  > beat A
  A beat: NONE
`))

test('a member that waits for the others to join need not send heartbeats meanwhile', () => run(`
  > join A v=3 session=6000
  > join B v=3 session=60000
  > wait 6000
  A join: generation 1, range, leader A, leads A B
  B join: generation 1, range, leader A
  > sync A A=one B=two
  A sync: assigned "one"
  > join A session=6000
  > wait 30000
  > join B
  A join: generation 2, range, leader A, leads A B
  B join: generation 2, range, leader A
`))

test('an id that is given out and never used holds a rebalance up for one session only', () => run(`${stable}
  > join B session=6000
  B join: MEMBER_ID_REQUIRED
  > join A topics=payments
  > wait 6000
  A join: generation 2, range, leader A, leads A
`))

test('members who never ask for their assignment are put out after the rebalance timeout', () => run(`
  > join A v=3 session=300000 rebalance=8000
  > join B v=3 session=300000 rebalance=8000
  > wait 6000
  A join: generation 1, range, leader A, leads A B
  B join: generation 1, range, leader A
  > sync A A=one B=two
  A sync: assigned "one"
  > wait 8000
  > beat B
  B beat: UNKNOWN_MEMBER_ID
  > beat A
  A beat: REBALANCE_IN_PROGRESS
  > join A
  A join: generation 2, range, leader A, leads A
`))

test('a leader that does not assign is put out, and those who wait are told to join again', () => run(`
  > join A v=3 session=300000 rebalance=8000
  > join B v=3 session=300000 rebalance=8000
  > wait 6000
  A join: generation 1, range, leader A, leads A B
  B join: generation 1, range, leader A
  > sync B
  > wait 8000
  B sync: REBALANCE_IN_PROGRESS
  > join B
  B join: generation 2, range, leader B, leads B
`))

test('the protocol that most members prefer among those that all can do is chosen', () => run(`
  > join A v=3 protocols=range,sticky,new
  > join B v=3 protocols=sticky,range
  > join C v=3 protocols=sticky,range
  > wait 6000
  A join: generation 1, sticky, leader A, leads A B C
  B join: generation 1, sticky, leader A
  C join: generation 1, sticky, leader A
  > join D protocols=other
  D join: INCONSISTENT_GROUP_PROTOCOL
  > join D type=connect
  D join: INCONSISTENT_GROUP_PROTOCOL
  > sync A
  A sync: INCONSISTENT_GROUP_PROTOCOL
`))

test('a group that is full refuses further members', () => run(`
  > join A v=3
  > join B v=3
  B join: GROUP_MAX_SIZE_REACHED
  > wait 3000
  A join: generation 1, range, leader A, leads A
  > join B v=3
  B join: GROUP_MAX_SIZE_REACHED
`, { settings: { classicMembersMax: 1 } }))

test('sessions outside of the allowed range are refused', () => run(`
  > join A session=5999
  A join: INVALID_SESSION_TIMEOUT
  > join A session=1800001
  A join: INVALID_SESSION_TIMEOUT
`))

test('a restarted static member takes its place without a rebalance, and its former self is fenced', () => run(`
  > join A instance=one
  > wait 3000
  A join: generation 1, range, leader A, leads A
  > sync A A=all instance=one
  A sync: assigned "all"
  > join B instance=one
  B join: generation 1, range, leader B, leads B, skips assignment
  > beat A instance=one
  A beat: FENCED_INSTANCE_ID
  > commit A orders/0=1 instance=one
  A commit: FENCED_INSTANCE_ID
  > sync B instance=one
  B sync: assigned "all"
  > restart
  > beat B instance=one
  B beat: NONE
  > beat A
  A beat: UNKNOWN_MEMBER_ID
`))

test('a static leader of an older client is not told that it leads, lest it assign', () => run(`
  > join A instance=one
  > wait 3000
  A join: generation 1, range, leader A, leads A
  > sync A A=all instance=one
  A sync: assigned "all"
  > join B instance=one v=8
  B join: generation 1, range, leader A
`))

test('a static member that waits to join is fenced by the process that takes its place', () => run(`
  > join A instance=one
  > join B instance=one
  A join: FENCED_INSTANCE_ID
  > wait 6000
  B join: generation 1, range, leader B, leads B
`))

test('an absent static member is kept through a rebalance until its session is over', () => run(`
  > join A instance=one session=30000 rebalance=8000
  > join B instance=two session=300000 rebalance=8000
  > wait 6000
  A join: generation 1, range, leader A, leads A B
  B join: generation 1, range, leader A
  > sync A A=one B=two instance=one
  A sync: assigned "one"
  > sync B instance=two
  B sync: assigned "two"
  > join B instance=two topics=payments session=300000 rebalance=8000
  > wait 8000
  B join: generation 2, range, leader B, leads A B
`))

test('an operator removes static members by their instance ids', () => run(`
  > join A instance=one
  > wait 3000
  A join: generation 1, range, leader A, leads A
  > leave nobody instance=one
  leave: NONE
  > beat A instance=one
  A beat: UNKNOWN_MEMBER_ID
  > describe
  describe: Empty
`))

test('members leave one by one or together', () => run(`
  > join A v=3
  > join B v=3
  > wait 6000
  A join: generation 1, range, leader A, leads A B
  B join: generation 1, range, leader A
  > leave A,C
  leave: NONE UNKNOWN_MEMBER_ID
  > beat B
  B beat: REBALANCE_IN_PROGRESS
  > join B
  B join: generation 2, range, leader B, leads B
`))

test('a group without members keeps its offsets until it is deleted', () => run(`${stable}
  > commit A orders/0=3
  A commit: NONE
  > delete
  delete: NON_EMPTY_GROUP
  > leave A
  leave: NONE
  > commit - orders/1=4
  - commit: NONE
  > fetch all
  fetch: orders/0=3 epoch 7 "m", orders/1=4 epoch 7 "m"
  > delete
  delete: NONE
  > fetch all
  fetch: nothing
  > list
  list: nothing
  > restart
  > fetch all
  fetch: nothing
  > delete
  delete: GROUP_ID_NOT_FOUND
`))

test('a commit from outside makes a group of offsets alone, and is refused where there are members', () => run(`
  > commit - orders/0=3
  - commit: NONE
  > list
  list: g classic - Empty
  > commit - nowhere/0=3 orders/9=3
  - commit: UNKNOWN_TOPIC_OR_PARTITION UNKNOWN_TOPIC_OR_PARTITION
  > join A
  A join: MEMBER_ID_REQUIRED
  > join A
  > commit - orders/0=3
  - commit: UNKNOWN_MEMBER_ID
`))

test('who was a member when the broker stopped is one when it is back, and has a session to show it', () => run(`${stable}
  > commit A orders/0=3
  A commit: NONE
  > restart
  > list
  list: g classic consumer Stable
  > beat A
  A beat: NONE
  > describe
  describe: Stable range A:"all"
  > sync A
  A sync: assigned "all"
  > fetch orders/0
  fetch: orders/0=3 epoch 7 "m"
  > restart
  > describe
  describe: Stable range A:"all"
  > wait 10000
  > describe
  describe: Empty
`))

test('a rebalance that was under way when the broker stopped begins again', () => run(`${stable}
  > join B v=3
  > restart
  B join: COORDINATOR_NOT_AVAILABLE
  > describe
  describe: Stable range A:"all"
  > join B v=3
  > join A
  A join: generation 2, range, leader A, leads A B
  B join: generation 2, range, leader A
`))
