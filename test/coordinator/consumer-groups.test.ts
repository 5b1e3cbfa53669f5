import { test } from 'node:test'
import { ConsumerScript } from './consumer-script.ts'
import { expectTrace } from './expect-trace.ts'
import type { WorldOptions } from './world.ts'

const run = expectTrace<WorldOptions>((options) => new ConsumerScript(options))

test('a member joins, is given everything, and hears of it once', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > beat A
  A: epoch 2
  > describe
  describe: Stable, epoch 2, assigned at 2 by uniform
  A at 2 has orders 0 1 2 3
`))

test('a partition passes on only after its owner has given it up', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > beat A
  A: epoch 2
  > join B
  B: epoch 3, may have nothing
  > beat A holding
  A: epoch 2, may have orders 0 1
  > beat B
  B: epoch 3
  > beat A briefly
  A: epoch 2
  > describe
  describe: Reconciling, epoch 3, assigned at 3 by uniform
  A at 2 has orders 0 1 2 3, is to have orders 0 1
  B at 3 has nothing, is to have orders 2 3
  > beat A holding
  A: epoch 2
  > beat A
  A: epoch 3
  > beat B
  B: epoch 3, may have orders 2 3
  > beat B
  B: epoch 3
  > describe
  describe: Stable, epoch 3, assigned at 3 by uniform
  A at 3 has orders 0 1
  B at 3 has orders 2 3
`))

test('a member that does not give up its partitions within its rebalance timeout is put out', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > beat A
  A: epoch 2
  > join B
  B: epoch 3, may have nothing
  > beat A holding
  A: epoch 2, may have orders 0 1
  > wait 15000
  > beat A holding
  A: epoch 2
  > beat B
  B: epoch 3
  > wait 15000
  > beat A
  A: UNKNOWN_MEMBER_ID
  > beat B
  B: epoch 4, may have orders 0 1 2 3
`))

test('a member that falls silent is put out after its session', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > join B
  B: epoch 3, may have nothing
  > wait 30000
  > beat B
  B: epoch 3
  > wait 15000
  > beat B
  B: epoch 4, may have orders 0 1 2 3
  > beat A
  A: UNKNOWN_MEMBER_ID
`))

test('an answer that was lost is given again, and a member of the past is fenced', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > topic orders=5
  > beat A
  A: epoch 3, may have orders 0 1 2 3 4
  > beat A epoch=2
  A: epoch 3
  > beat A epoch=1
  A: FENCED_MEMBER_EPOCH
  > beat A epoch=9
  A: FENCED_MEMBER_EPOCH
  > beat A epoch=2 briefly
  A: FENCED_MEMBER_EPOCH
  > beat B epoch=3
  B: UNKNOWN_MEMBER_ID
`))

test('topics that appear, grow and go lead to new assignments', () => run(`
  > join A topics=later,orders
  A: epoch 2, may have orders 0 1 2 3
  > topic later=2
  > beat A
  A: epoch 3, may have later 0 1, orders 0 1 2 3
  > topic orders=5
  > beat A
  A: epoch 4, may have later 0 1, orders 0 1 2 3 4
  > topic unrelated=7
  > beat A
  A: epoch 4
  > untopic later
  > beat A
  A: epoch 4, may have orders 0 1 2 3 4
  > beat A
  A: epoch 5
`))

test('members subscribe by pattern, to what is there and to what comes', () => run(`
  > join A regex=(orders|pay.*)
  A: epoch 2, may have orders 0 1 2 3, payments 0 1
  > topic paybacks=1 unpaid=1
  > beat A
  A: epoch 3, may have orders 0 1 2 3, paybacks 0, payments 0 1
  > join B regex=(
  B: INVALID_REGULAR_EXPRESSION
  > join B regex=(a)\\1
  B: INVALID_REGULAR_EXPRESSION
`))

test('who subscribes to other topics gets those alone', () => run(`
  > join A topics=orders
  A: epoch 2, may have orders 0 1 2 3
  > join B topics=payments
  B: epoch 3, may have payments 0 1
  > beat B topics=orders,payments
  B: epoch 4
  > beat A
  A: epoch 2, may have orders 0 1 2
  > beat A
  A: epoch 4
  > beat B
  B: epoch 4, may have orders 3, payments 0 1
`))

test('the assignor is the one that most members ask for', () => run(`
  > join A assignor=range topics=orders,payments
  A: epoch 2, may have orders 0 1 2 3, payments 0 1
  > join B assignor=range topics=orders,payments
  B: epoch 3, may have nothing
  > beat A
  A: epoch 2, may have orders 0 1, payments 0
  > beat A
  A: epoch 3
  > beat B
  B: epoch 3, may have orders 2 3, payments 1
  > describe
  describe: Stable, epoch 3, assigned at 3 by range
  A at 3 has orders 0 1, payments 0
  B at 3 has orders 2 3, payments 1
  > join C assignor=nope
  C: UNSUPPORTED_ASSIGNOR
`))

test('a static member that is away keeps its partitions, and gets them back under its new id', () => run(`
  > join A instance=one
  A: epoch 2, may have orders 0 1 2 3
  > join B instance=two
  B: epoch 3, may have nothing
  > beat A
  A: epoch 2, may have orders 0 1
  > beat A
  A: epoch 3
  > away A
  A: epoch -2
  > beat B
  B: epoch 3, may have orders 2 3
  > join C instance=two
  C: UNRELEASED_INSTANCE_ID
  > restart
  > join C instance=one
  C: epoch 3, may have orders 0 1
  > beat A
  A: FENCED_INSTANCE_ID
  > beat B
  B: epoch 3
`))

test('a static member that stays away loses its partitions when its session is over', () => run(`
  > join A instance=one
  A: epoch 2, may have orders 0 1 2 3
  > away A
  A: epoch -2
  > wait 45000
  > describe
  describe: Empty, epoch 3, assigned at 2 by uniform
  > join A instance=one
  A: epoch 4, may have orders 0 1 2 3
`))

test('commits are for members at their epoch, or for anybody while there are none', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > commit A orders/0=3
  A commit: NONE
  > commit A orders/0=3 epoch=1
  A commit: STALE_MEMBER_EPOCH
  > commit A orders/0=3 v=8
  A commit: UNSUPPORTED_VERSION
  > commit B orders/0=3 epoch=-1
  B commit: UNKNOWN_MEMBER_ID
  > leave A
  A: epoch -1
  > commit B orders/0=3 epoch=-1
  B commit: NONE
`))

test('a group resumes where it was: epochs, targets, and what is still to be given up', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > beat A
  A: epoch 2
  > join B
  B: epoch 3, may have nothing
  > beat A holding
  A: epoch 2, may have orders 0 1
  > restart
  > describe
  describe: Reconciling, epoch 3, assigned at 3 by uniform
  A at 2 has orders 0 1 2 3, is to have orders 0 1
  B at 3 has nothing, is to have orders 2 3
  > beat B
  B: epoch 3
  > beat A
  A: epoch 3
  > beat B
  B: epoch 3, may have orders 2 3
  > restart
  > wait 45000
  > describe
  describe: Empty, epoch 4, assigned at 3 by uniform
`))

test('a group that is full takes no further members', () => run(`
  > join A
  A: epoch 2, may have orders 0 1 2 3
  > join B
  B: GROUP_MAX_SIZE_REACHED
  > beat A
  A: epoch 2
`, { settings: { consumerMembersMax: 1 } }))
