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
