import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deleteRecords } from '../../broker/api/delete-records.ts'
import type { PartitionContext } from '../../broker/api/partition-context.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { LogError } from '../../broker/log/log-error.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { ColdTier } from '../../broker/replication/cold-tier.ts'
import type { Partition } from '../../broker/replication/partition.ts'
import { DiskError } from '../../broker/runtime/disk.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
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

test('what the tier could not take note of is told to it when the client asks again', async () => {
  let isAway = true
  const { partition, asked } = await world(async () => {
    if (isAway) throw new Error('away')
  })
  await assert.rejects(partition.deleteRecords(5), /away/)
  assert.equal(partition.logStartOffset, 5)
  isAway = false
  for (const offset of [5, 3]) assert.deepEqual(await partition.deleteRecords(offset), { logStartOffset: 5 })
  assert.deepEqual(asked, [5, 5, 5])
})

const image = fold(emptyImage, 1, [
  { type: 'topicCreated', topicId: 't', name: 'orders' }, newPartition('t', 0, [1]), newPartition('t', 1, [1]),
])

/** Asks two partitions to delete; the first one fails. */
async function ask(failure: Error) {
  const told: unknown[] = []
  const failing = { deleteRecords: () => Promise.reject(failure) } as unknown as Partition
  const whole = { deleteRecords: async () => ({ logStartOffset: 5 }) } as unknown as Partition
  const context = {
    image, partitions: { leader: (_topic: string, index: number) => [failing, whole][index] },
    onNotDeleted: (partition: Partition, cause: Error) => told.push(partition === failing, cause),
  } as unknown as PartitionContext
  const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, offset: 5 }))
  const response = await deleteRecords(context).handle({ topics: [{ name: 'orders', partitions }], timeoutMs: 0 }, {} as never)
  return { answers: response!.topics[0]!.partitions.map(({ errorCode, lowWatermark }) => [errorCode, lowWatermark]), told }
}

for (const failure of [
  new TierError('away', 'the table is away'), new TierError('fenced', 'another one has claimed it'),
  new DiskError('write', '/a', { code: 'EIO' }), new LogError('damaged', '/a.log', 'no batch at byte 0'),
]) {
  test(`a ${failure.name} (${failure.code}) is told for the partition that has it, and the others are deleted from`, async () => {
    const { answers, told } = await ask(failure)
    assert.deepEqual(answers, [[ErrorCode.KAFKA_STORAGE_ERROR, -1], [ErrorCode.NONE, 5]])
    assert.deepEqual(told, [true, failure])
  })
}

test('a fault of the code is not taken for one of the store', async () => {
  await assert.rejects(ask(new TypeError('x is not a function')), TypeError)
})
