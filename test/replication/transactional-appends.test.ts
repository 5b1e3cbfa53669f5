import assert from 'node:assert/strict'
import { test } from 'node:test'
import { markerBatch } from '../../broker/log/marker.ts'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { LogWorld, topicId } from '../log/log-world.ts'
import { aBatch, aMoment } from '../support/a-batch.ts'
import { aLeadingPartition } from '../support/a-leading-partition.ts'
import { turn } from '../support/manual-clock.ts'

const producerId = 7

/** A partition, and questions to a coordinator that are answered when the test says so. */
async function world() {
  const logs = new LogWorld()
  const log = await logs.open()
  const partition = await aLeadingPartition({ topicId, log, clock: logs.clock, leaderEpoch: 1 })
  const asked: ((code: ErrorCode) => void)[] = []
  const send = (baseSequence: number, { producerEpoch = 0, beginsAtZero = false } = {}) => {
    const records = aBatch({ producerId, producerEpoch, baseSequence, isTransactional: true })
    return partition.transactional.append({
      batch: new RecordBatch(records), beginsAtZero,
      append: () => partition.append(records, { acks: -1, timeoutMs: 1_000 }),
      ask: () => new Promise((resolve) => asked.push(resolve)),
    }).then(({ errorCode, baseOffset }) => (errorCode === ErrorCode.NONE ? baseOffset : errorName(errorCode)))
  }
  const end = ({ producerEpoch = 0, hasOwnEpoch = false, isCommit = true } = {}) => {
    const marker = markerBatch({ producerId, producerEpoch, isCommit, coordinatorEpoch: 0, timestamp: aMoment })
    return partition.appendMarker(marker, { hasOwnEpoch, timeoutMs: 1_000 }).then(({ errorCode }) => errorName(errorCode))
  }
  return { log, partition, asked, send, end }
}

test('batches that come while the coordinator is asked wait, and follow in their order', async () => {
  const { asked, send, log, partition } = await world()
  const sent = [send(0), send(1), send(2)]
  await turn()
  assert.deepEqual([asked.length, log.endOffset], [1, 0], 'one question, and nothing overtakes it')
  asked[0]!(ErrorCode.NONE)
  assert.deepEqual(await Promise.all(sent), [0, 1, 2])
  assert.equal(await send(3), 3, 'an open transaction needs no question')
  assert.deepEqual([asked.length, partition.transactional.size], [1, 0])
})

test('a refusal is that of all that wait behind', async () => {
  const { asked, send, log } = await world()
  const sent = [send(0), send(1)]
  asked[0]!(ErrorCode.NOT_ENOUGH_REPLICAS)
  assert.deepEqual(await Promise.all(sent), ['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS'])
  assert.equal(log.endOffset, 0)
})

test('what was asked says nothing any more once a marker came in between', async () => {
  const { asked, send, end, log } = await world()
  const sent = [send(0), send(1)]
  assert.equal(await end(), 'NONE')
  asked[0]!(ErrorCode.NONE)
  assert.deepEqual(await Promise.all(sent), ['INVALID_TXN_STATE', 'INVALID_TXN_STATE'])
  assert.deepEqual([log.endOffset, log.lastStableOffset(1)], [1, 1], 'nothing of it hangs')
})

test('a marker of the transaction before leaves the one behind it alone, where each has its own epoch', async () => {
  const { asked, send, end } = await world()
  const first = send(0)
  asked[0]!(ErrorCode.NONE)
  await first
  assert.equal(await end({ producerEpoch: 1, hasOwnEpoch: true }), 'NONE')
  const sent = send(0, { producerEpoch: 1 })
  assert.equal(await end({ producerEpoch: 1, hasOwnEpoch: true }), 'NONE', 'it comes again')
  asked[1]!(ErrorCode.NONE)
  assert.equal(await sent, 2)
})

test('a batch that comes late from before a marker is refused, whatever the coordinator was heard to say', async () => {
  const { asked, send, end } = await world()
  const late = send(0)
  assert.equal(await end({ producerEpoch: 1, hasOwnEpoch: true, isCommit: false }), 'NONE')
  asked[0]!(ErrorCode.NONE)
  assert.equal(await late, 'INVALID_TXN_STATE')
})

test('another term has to ask by itself', async () => {
  const { asked, send, partition, log } = await world()
  const sent = send(0)
  partition.retire()
  await partition.assume({ partition: 0, leader: 1, leaderEpoch: 2, partitionEpoch: 1, replicas: [1], isr: [1], elr: [] })
  asked[0]!(ErrorCode.NONE)
  assert.deepEqual([await sent, log.endOffset], ['NOT_LEADER_OR_FOLLOWER', 0])
})

test('who does not lead asks nobody', async () => {
  const { asked, send, partition } = await world()
  partition.retire()
  assert.deepEqual([await send(0), asked.length], ['NOT_LEADER_OR_FOLLOWER', 0])
})

test('by the newer rules an unknown producer begins with the first batch of its transaction', async () => {
  const { asked, send } = await world()
  assert.equal(await send(3, { beginsAtZero: true }), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  const sent = send(3)
  asked[0]!(ErrorCode.NONE)
  assert.equal(await sent, 0, 'by the older ones its sequences go on, and it may have been forgotten')
})

test('who waits for stable records is woken by the marker that frees them, however small it is', async () => {
  const { asked, send, end, partition } = await world()
  const told = { committed: 0, stable: 0 }
  partition.watch((bytes) => (told.committed += bytes), 'committed')
  partition.watch((bytes) => (told.stable += bytes), 'stable')
  const sent = send(0)
  asked[0]!(ErrorCode.NONE)
  await sent
  assert.ok(told.committed > 0 && told.stable === 0, `${JSON.stringify(told)}`)
  await end()
  assert.equal(told.stable, Infinity)
})
