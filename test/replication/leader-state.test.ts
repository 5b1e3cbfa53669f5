import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adopt, beginTerm, highWatermarkOf, observeFetch, planSync } from '../../broker/replication/leader-state.ts'

const rules = { endOffset: 10, minIsr: 2, now: 0, lagMsMax: 1000 }

test('replicas that are being added do not stop what is committed, and raise the minimum once they are there', () => {
  const partition = { leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] }
  const alone = beginTerm({ brokerId: 1, partition, endOffset: 10, highWatermark: 0, now: 0 })
  assert.equal(highWatermarkOf(alone, rules), 10)
  const growing = adopt(alone, { partitionEpoch: 1, replicas: [2, 3, 1], adding: [2, 3], isr: [1] })
  assert.equal(highWatermarkOf(growing, rules), 10, 'as before')
  const grown = adopt(growing, { partitionEpoch: 2, replicas: [2, 3, 1], isr: [1] })
  assert.equal(highWatermarkOf(grown, rules), 0, 'one of three is too few')
})

test('a replica that is being added is in sync once it has what the others have', () => {
  const partition = { leaderEpoch: 0, partitionEpoch: 0, replicas: [2, 1], adding: [2], isr: [1] }
  const term = { ...beginTerm({ brokerId: 1, partition, endOffset: 10, highWatermark: 10, now: 0 }) }
  const behind = observeFetch(term, { brokerId: 2, brokerEpoch: 7, fetchOffset: 9, endOffset: 10, now: 1 })
  assert.equal(planSync(behind, rules), undefined)
  const level = observeFetch(behind, { brokerId: 2, brokerEpoch: 7, fetchOffset: 10, endOffset: 10, now: 2 })
  assert.deepEqual(planSync(level, rules)?.isr, [{ brokerId: 1, brokerEpoch: -1 }, { brokerId: 2, brokerEpoch: 7 }])
})

test('a fetch of an earlier start, held while the follower started again with less, does not count', () => {
  const partition = { leaderEpoch: 0, partitionEpoch: 0, replicas: [1, 2], isr: [1, 2] }
  const term = beginTerm({ brokerId: 1, partition, endOffset: 10, highWatermark: 0, now: 0 })
  const again = observeFetch(term, { brokerId: 2, brokerEpoch: 8, fetchOffset: 4, endOffset: 10, now: 1 })
  const held = observeFetch(again, { brokerId: 2, brokerEpoch: 7, fetchOffset: 10, endOffset: 10, now: 2 })
  assert.equal(highWatermarkOf(held, rules), 4)
})

test('who has left the in-sync replicas joins again by what it fetches then, and not by what it had', () => {
  const partition = { leaderEpoch: 0, partitionEpoch: 0, replicas: [1, 2, 3], isr: [1, 2, 3] }
  const term = beginTerm({ brokerId: 1, partition, endOffset: 10, highWatermark: 10, now: 0 })
  const fetch = { brokerId: 3, brokerEpoch: 7, fetchOffset: 10, endOffset: 10 }
  const known = observeFetch(term, { ...fetch, now: 100 })
  const left = adopt(known, { partitionEpoch: 1, replicas: [1, 2, 3], isr: [1, 2] })
  assert.equal(planSync(left, { ...rules, now: 200 }), undefined, 'it may have left because its disk is broken')
  const back = observeFetch(left, { ...fetch, now: 300 })
  assert.deepEqual(planSync(back, { ...rules, now: 300 })?.isr.map(({ brokerId }) => brokerId), [1, 2, 3])
})

test('nobody is proposed who would be out of step at once, or who does not serve', () => {
  const partition = { leaderEpoch: 0, partitionEpoch: 0, replicas: [1, 2, 3], isr: [1, 2] }
  const term = beginTerm({ brokerId: 1, partition, endOffset: 10, highWatermark: 10, now: 0 })
  const fetched = [2, 3].reduce((state, brokerId) => observeFetch(state, { brokerId, brokerEpoch: 7, fetchOffset: 10, endOffset: 10, now: 100 }), term)
  const proposed = (of: { readonly now: number; readonly isAlive?: (brokerId: number) => boolean }) =>
    planSync(fetched, { ...rules, minIsr: 1, ...of })?.isr.map(({ brokerId }) => brokerId)
  assert.deepEqual(proposed({ now: 1_000 }), [1, 2, 3])
  assert.equal(proposed({ now: 1_000, isAlive: (brokerId) => brokerId !== 3 }), undefined)
  assert.deepEqual(proposed({ now: 1_101 }), [1], 'both have been silent since')
})
