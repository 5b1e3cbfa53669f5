import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginTerm, isCutOff, observeFetch } from '../../broker/replication/leader-state.ts'

const partition = { leaderEpoch: 3, partitionEpoch: 5, replicas: [1, 2, 3], isr: [1, 2, 3] }
const term = beginTerm({ brokerId: 1, partition, endOffset: 10, highWatermark: 10, now: 1_000 })
const fetch = { brokerEpoch: 1, fetchOffset: 10, endOffset: 10 }
const rules = { minIsr: 2, silenceMsMax: 2_000 }

test('a leader is cut off once so few fetch that nothing can be committed', () => {
  assert.equal(isCutOff(term, { ...rules, now: 3_000 }), false, 'a term begins with time for followers to come')
  assert.equal(isCutOff(term, { ...rules, now: 3_001 }), true)
  const heard = observeFetch(term, { ...fetch, brokerId: 3, now: 2_500 })
  assert.equal(isCutOff(heard, { ...rules, now: 4_500 }), false, 'with one follower there are two')
  assert.equal(isCutOff(heard, { ...rules, now: 4_501 }), true)
  assert.equal(isCutOff(heard, { ...rules, minIsr: 3, now: 4_500 }), true)
})

test('a leader that needs nobody else, or has nobody else in sync, is not cut off', () => {
  assert.equal(isCutOff(term, { ...rules, minIsr: 1, now: 9_000 }), false)
  assert.equal(isCutOff({ ...term, isr: [1] }, { ...rules, now: 9_000 }), false)
  assert.equal(isCutOff({ ...term, replicas: [1], isr: [1] }, { ...rules, now: 9_000 }), false)
})
