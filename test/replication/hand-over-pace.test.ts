import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandOverPace } from '../../broker/replication/hand-over-pace.ts'
import { beginTerm } from '../../broker/replication/leader-state.ts'
import { LeaderTerm } from '../../broker/replication/leader-term.ts'
import { ManualClock } from '../support/manual-clock.ts'

const limits = { silenceMsMax: 2_000, handOverAfterMsMax: 30_000 }

/** A partition of brokers 1 and 2, both in sync and both needed, whose leader begins one term after the other. */
function world() {
  const clock = new ManualClock()
  const partition: { term: LeaderTerm | undefined } = { term: undefined }
  const pace = new HandOverPace<typeof partition>(limits)
  let leaderEpoch = 0
  const lead = (): LeaderTerm => {
    const start = beginTerm({
      brokerId: 1, partition: { leaderEpoch: leaderEpoch++, partitionEpoch: 0, replicas: [1, 2], isr: [1, 2] }, endOffset: 0, highWatermark: 0,
      now: clock.monotonic(),
    })
    partition.term = new LeaderTerm({
      start, topicName: 't', durableEndOffset: () => 0, onCommitted() {}, onOutOfSync() {},
      around: { clock, minIsr: () => 2, lagMsMax: () => 10_000, isAlive: () => true, hasSession: () => true },
    })
    return partition.term
  }
  /** Looks once a second until it is to be handed over, and does it. Says how many looks that took. */
  const passOn = async (): Promise<number> => {
    lead()
    for (let looks = 1; looks < 200; looks++) {
      await clock.advance(1_000)
      if (!pace.isDue(partition)) continue
      pace.handedOver(partition)
      return looks
    }
    assert.fail('it was kept for good')
  }
  return { clock, partition, pace, lead, passOn }
}

test('a partition that comes back again and again, and that nobody reaches, is passed on less and less often, up to a limit', async () => {
  const { passOn } = world()
  const looks: number[] = []
  for (let times = 0; times < 7; times++) looks.push(await passOn())
  assert.deepEqual(looks, [3, 5, 9, 17, 31, 31, 31])
})

test('a broker whose followers reach it in one of its terms hands over at once the next time', async () => {
  const { clock, partition, pace, lead, passOn } = world()
  for (let times = 0; times < 4; times++) await passOn()
  const term = lead()
  for (let looks = 0; looks < 3; looks++) {
    await clock.advance(1_000)
    term.fetched({ brokerId: 2, brokerEpoch: 1, offset: 0 })
    assert.equal(pace.isDue(partition), false)
  }
  assert.equal(await passOn(), 3)
})

test('that a term has just begun is no sign that followers reach it', async () => {
  const { clock, partition, pace, lead, passOn } = world()
  assert.deepEqual([await passOn(), await passOn()], [3, 5])
  lead()
  await clock.advance(1_000)
  assert.equal(pace.isDue(partition), false)
  partition.term = undefined
  assert.equal(pace.isDue(partition), false, 'nothing is handed over by one that does not lead')
  assert.equal(await passOn(), 9)
})
