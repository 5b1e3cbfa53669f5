import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandOverPace } from '../../broker/replication/hand-over-pace.ts'
import { LeaderWatch, type Watched } from '../../broker/replication/leader-watch.ts'
import { ManualClock } from '../support/manual-clock.ts'

const pace = () => new HandOverPace<Watched>({ silenceMsMax: 2_000, handOverAfterMsMax: 30_000 })

/** A leader that has been cut off from its followers since it began. */
function cutOff() {
  const term = { looks: 0, isOver: false, ageMs: 10_000, look: () => void term.looks++, isCutOff: () => !term.isOver }
  return { term }
}

test('followers are looked for while a handing over does not end', async () => {
  const clock = new ManualClock()
  const leader = cutOff()
  let handedOver = 0
  const watch = new LeaderWatch({
    clock, partitions: [leader], everyMs: 250, pace: pace(), onFault: assert.fail,
    handOver: () => new Promise(() => void handedOver++),
  })
  await clock.advance(2_500)
  assert.ok(leader.term.looks >= 10, `${leader.term.looks} looks in ten rounds`)
  assert.equal(handedOver, 1, 'one handing over at a time')
  void watch.stop()
})

test('what could not be handed over is tried again, and what was is left alone', async () => {
  const clock = new ManualClock()
  const leader = cutOff()
  const faults: unknown[] = []
  let attempts = 0
  const watch = new LeaderWatch({
    clock, partitions: [{ term: undefined }, leader], everyMs: 250, pace: pace(), onFault: (cause) => faults.push(cause),
    async handOver(partitions) {
      assert.deepEqual(partitions, [leader])
      if (++attempts === 1) throw new Error('the table is away')
      leader.term.isOver = true
    },
  })
  await clock.advance(2_500)
  assert.equal(attempts, 2)
  assert.equal(faults.length, 1)
  await watch.stop()
})
