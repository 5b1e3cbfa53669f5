import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FetchContext } from '../../broker/api/fetch.ts'
import { FetchRound } from '../../broker/api/fetch-round.ts'
import { ReplyBudget } from '../../broker/api/reply-budget.ts'
import { LogError } from '../../broker/log/log-error.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { FetchRequest } from '../../broker/protocol/messages/fetch.ts'
import { DiskError } from '../../broker/runtime/disk.ts'
import { ManualClock } from '../support/manual-clock.ts'

const nothing = (errorCode: number) => ({ errorCode, bytes: 0, buffers: [], release() {} })

/** A partition of which every read goes to the disk, with this outcome. */
const partitionWith = (read: () => Promise<unknown>) => ({ nothing: (code = ErrorCode.NONE) => nothing(code), read })

async function readBoth(failure: Error) {
  const partitions = [partitionWith(() => Promise.reject(failure)), partitionWith(async () => ({ ...nothing(ErrorCode.NONE), bytes: 100 }))]
  const replyBudget = new ReplyBudget({ bytesMax: 1_000_000, readBytesMax: 1_000, readBytesMin: 10 })
  const unreadable: Error[] = []
  const context = {
    clock: new ManualClock(), replyBudget, fetchLimits: { bytesMax: () => 10_000, waitMsMax: 500, coldGraceMs: 20 },
    partitions: { leader: (_topicId: string, partition: number) => partitions[partition] },
    onUnreadable: (_partition: unknown, cause: Error) => unreadable.push(cause),
  } as unknown as FetchContext
  const target = (partition: number) => ({ partition, bytesMax: 1_000, fetchOffset: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1 })
  const targets = [0, 1].map((partition) => [target(partition), 'topic'] as unknown as readonly [never, string])
  const request = { maxBytes: 10_000, isolationLevel: 0, rackId: '' } as FetchRequest
  const round = new FetchRound(context, { request, follower: undefined, unknown: ErrorCode.UNKNOWN_TOPIC_ID }, targets)
  await round.read(500)
  return { codes: round.results.map(({ read }) => read.errorCode), bytes: round.bytes, unreadable, inUse: replyBudget.bytes }
}

describe('a round of reads', () => {
  for (const failure of [new DiskError('read', '/a/b.log', { code: 'EIO' }), new LogError('damaged', '/a/b.log', 'no batch at byte 0')]) {
    test(`of which one fails with a ${failure.name} says so for that partition, and brings the others`, async () => {
      const { codes, bytes, unreadable, inUse } = await readBoth(failure)
      assert.deepEqual(codes, [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NONE])
      assert.equal(bytes, 100)
      assert.deepEqual(unreadable, [failure])
      assert.equal(inUse, 100)
    })
  }

  test('does not take a fault of the code for one of the disk', async () => {
    await assert.rejects(readBoth(new TypeError('x is not a function')), TypeError)
  })

  test('says of a broker that it has asked, once', async () => {
    const asked: unknown[] = []
    const partition = {
      nothing: () => nothing(ErrorCode.NONE), watch: () => () => {},
      readAsFollower: ({ brokerId, isAgain }: { readonly brokerId: number; readonly isAgain: boolean }) => {
        asked.push([brokerId, isAgain])
        return nothing(ErrorCode.NONE)
      },
    }
    const context = {
      clock: new ManualClock(), fetchLimits: { bytesMax: () => 10_000, waitMsMax: 500, coldGraceMs: 20 },
      replyBudget: new ReplyBudget({ bytesMax: 1_000_000, readBytesMax: 1_000, readBytesMin: 10 }), partitions: { leader: () => partition },
    } as unknown as FetchContext
    const target = { partition: 0, bytesMax: 1_000, fetchOffset: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1 }
    const request = { maxBytes: 10_000, isolationLevel: 0, rackId: '' } as FetchRequest
    const round = new FetchRound(
      context, { request, follower: { brokerId: 2, brokerEpoch: 7 }, unknown: ErrorCode.UNKNOWN_TOPIC_ID },
      [[target, 'topic'] as unknown as readonly [never, string]],
    )
    await round.read(500)
    await round.read(500)
    assert.deepEqual(asked, [[2, false], [2, true]])
  })
})
