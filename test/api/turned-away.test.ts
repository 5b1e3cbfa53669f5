import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TurnedAway } from '../../broker/api/turned-away.ts'

const sent = (baseSequence: number, producerId = 7, producerEpoch = 0) => ({ producerId, producerEpoch, baseSequence })

test('what was sent behind a batch that was turned away is behind it until that comes again', () => {
  const turnedAway = new TurnedAway({ producersMax: 10 })
  turnedAway.remember('t/0', sent(0))
  assert.equal(turnedAway.isBehind('t/0', sent(3)), true)
  turnedAway.remember('t/0', sent(3))
  assert.equal(turnedAway.isBehind('t/0', sent(5)), true)
  assert.equal(turnedAway.isBehind('t/0', sent(0)), false)
  assert.equal(turnedAway.isBehind('t/0', sent(3)), false)
})

test('other producers, epochs and partitions are not behind it, nor are those without a sequence', () => {
  const turnedAway = new TurnedAway({ producersMax: 10 })
  turnedAway.remember('t/0', sent(0))
  turnedAway.remember('t/0', sent(-1, -1, -1))
  assert.equal(turnedAway.size, 1)
  for (const [place, batch] of [['t/1', sent(3)], ['t/0', sent(3, 8)], ['t/0', sent(3, 7, 1)], ['t/0', sent(-1, -1, -1)]] as const) {
    assert.equal(turnedAway.isBehind(place, batch), false)
  }
})

test('remembers so many producers, and forgets the oldest', () => {
  const turnedAway = new TurnedAway({ producersMax: 2 })
  for (const producerId of [1, 2, 1, 3]) turnedAway.remember('t/0', sent(0, producerId))
  assert.equal(turnedAway.size, 2)
  assert.deepEqual([1, 2, 3].map((producerId) => turnedAway.isBehind('t/0', sent(1, producerId))), [true, false, true])
})
