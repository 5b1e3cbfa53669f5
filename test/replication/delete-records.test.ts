import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { ColdTier } from '../../broker/replication/cold-tier.ts'
import { appendAll, LogWorld } from '../log/log-world.ts'
import { aBatch } from '../support/a-batch.ts'
import { aLeadingPartition } from '../support/a-leading-partition.ts'

/** A leader of ten records, whose tier does with a deletion what the test says. */
async function world(advance: (offset: number) => Promise<void>) {
  const around = new LogWorld()
  const log = await around.open()
  await appendAll(log, Array.from({ length: 10 }, () => aBatch()))
  const partition = await aLeadingPartition({ topicId: 't', log, clock: around.clock, leaderEpoch: 1 })
  const asked: number[] = []
  partition.tier = {
    advanceLogStart: (offset: number) => {
      asked.push(offset)
      return advance(offset)
    },
  } as unknown as ColdTier
  return { partition, asked }
}

test('records are deleted on the disk and in the tier', async () => {
  const { partition, asked } = await world(async () => {})
  assert.deepEqual(await partition.deleteRecords(5), { logStartOffset: 5 })
  assert.deepEqual(asked, [5])
})

test('a leader that is one no more while it deletes says so, and leaves the tier to the next one', async () => {
  const { partition, asked } = await world(async () => {})
  const deleting = partition.deleteRecords(5)
  partition.retire()
  assert.deepEqual(await deleting, { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })
  assert.deepEqual(asked, [])
})

test('a tier that refuses because another broker leads is no fault; one that refuses a leader is', async () => {
  const fenced = new Error('fenced')
  const { partition } = await world(async () => {
    partition.retire()
    throw fenced
  })
  assert.deepEqual(await partition.deleteRecords(5), { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })
  const { partition: leader } = await world(() => Promise.reject(fenced))
  await assert.rejects(leader.deleteRecords(5), fenced)
})
