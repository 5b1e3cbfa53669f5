import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listOffsets } from '../../broker/api/list-offsets.ts'
import type { PartitionContext } from '../../broker/api/partition-context.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { LogError } from '../../broker/log/log-error.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { DiskError } from '../../broker/runtime/disk.ts'

const image = fold(emptyImage, 1, [
  { type: 'topicCreated', topicId: 't', name: 'orders' }, newPartition('t', 0, [1]), newPartition('t', 1, [1]),
])

/** Asks two partitions for a timestamp; the search in the first one fails. */
async function ask(timestamp: number, failure: Error) {
  const unreadable: unknown[] = []
  const whole = { offset: 5, timestamp: 70 }
  const partition = (search: () => Promise<unknown>) => ({
    checkEpoch: () => ErrorCode.NONE, certainty: () => ErrorCode.NONE, highWatermark: 10, lastStableOffset: 10, leaderEpoch: 3, tier: undefined,
    log: { epochs: { epochAt: () => 3 } }, offsetForTimestamp: search, maxTimestamp: search,
  })
  const partitions = [partition(() => Promise.reject(failure)), partition(async () => whole)]
  const context = {
    image, partitions: { leader: (_topic: string, index: number) => partitions[index] },
    onUnreadable: (_partition: unknown, cause: Error) => unreadable.push(cause),
  } as unknown as PartitionContext
  const asked = [0, 1].map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp }))
  const request = { replicaId: -1, isolationLevel: 0, topics: [{ name: 'orders', partitions: asked }], timeoutMs: 0 }
  const response = await listOffsets(context).handle(request, { version: 11 } as never)
  return { answers: response!.topics[0]!.partitions.map(({ errorCode, offset }) => [errorCode, offset]), unreadable }
}

for (const [what, timestamp] of [['a timestamp', 60], ['the largest timestamp', -3]] as const) {
  for (const failure of [new DiskError('read', '/a.log', { code: 'EIO' }), new LogError('damaged', '/a.log', 'no batch at byte 0')]) {
    test(`a search for ${what} that meets a ${failure.name} says so for that partition, and answers for the others`, async () => {
      const { answers, unreadable } = await ask(timestamp, failure)
      assert.deepEqual(answers, [[ErrorCode.KAFKA_STORAGE_ERROR, -1], [ErrorCode.NONE, 5]])
      assert.deepEqual(unreadable, [failure])
    })
  }
}

test('a fault of the code is not taken for one of the disk', async () => {
  await assert.rejects(ask(60, new TypeError('x is not a function')), TypeError)
})

test('the largest timestamp is that of what can be seen: committed, and decided where only that is asked for', async () => {
  const ends: number[] = []
  const maxTimestamp = async (endOffset: number) => void ends.push(endOffset)
  const partition = { checkEpoch: () => 0, certainty: () => 0, highWatermark: 10, lastStableOffset: 7, maxTimestamp }
  const context = { image, partitions: { leader: () => partition } } as unknown as PartitionContext
  const asked = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -3 }]
  for (const isolationLevel of [0, 1]) {
    const request = { replicaId: -1, isolationLevel, topics: [{ name: 'orders', partitions: asked }], timeoutMs: 0 }
    const response = await listOffsets(context).handle(request, { version: 11 } as never)
    assert.equal(response!.topics[0]!.partitions[0]!.offset, -1)
  }
  assert.deepEqual(ends, [10, 7])
})
