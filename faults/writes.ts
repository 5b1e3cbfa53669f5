import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { produceApi } from '../broker/protocol/messages/produce.ts'
import type { Place } from '../sim/check/history.ts'
import type { RealReach } from './reach.ts'

const writtenMsMax = 20_000

/** One batch, at whoever leads. Sent again until it is acknowledged, so it may be there more than once. */
export async function write(reach: RealReach, { topicId, partition }: Place, bytes: Buffer): Promise<void> {
  for (const until = performance.now() + writtenMsMax; performance.now() < until; await sleep(100)) {
    const answer = await reach.tried(async () => (await reach.leaderOf({ topicId, partition })).call(produceApi, {
      acks: -1, timeoutMs: 5_000, topicData: [{ name: '', topicId, partitionData: [{ index: partition, records: [bytes] }] }],
    }))
    if (answer?.responses[0]?.partitionResponses[0]?.errorCode === ErrorCode.NONE) return
    reach.lookAgain()
  }
  assert.fail(`nothing could be written within ${writtenMsMax} ms`)
}
