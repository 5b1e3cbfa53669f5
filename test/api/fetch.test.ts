import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fetch, type FetchContext } from '../../broker/api/fetch.ts'
import { FetchSessions } from '../../broker/api/fetch-session.ts'
import { ReplyBudget } from '../../broker/api/reply-budget.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { zeroUuid } from '../../broker/runtime/random.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const topicId = '00000000-0000-4000-8000-000000000001'
const image = fold(emptyImage, 1, [{ type: 'topicCreated', topicId, name: 'orders' }, newPartition(topicId, 0, [1])])

/** A broker that leads one partition, in which there is nothing to read yet. */
function world() {
  const clock = new ManualClock()
  const listeners = new Set<(bytes: number) => void>()
  const nothing = (errorCode: number = ErrorCode.NONE) => ({
    errorCode, highWatermark: 0, lastStableOffset: 0, logStartOffset: 0, bytes: 0, buffers: [], release() {}, aborted: null,
  })
  const partition = {
    nothing, read: (): unknown => nothing(),
    watch(listener: (bytes: number) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const served = { image, leader: (): unknown => partition }
  const context = {
    clock, othersKnow: async () => {}, get image() { return served.image }, partitions: { leader: () => served.leader() },
    fetchSessions: new FetchSessions({ clock, random: new SeededRandom(1), sessionsMax: () => 1, evictableAfterMs: 0 }),
    fetchLimits: { bytesMax: () => 10_000, waitMsMax: 500, coldGraceMs: 20 },
    replyBudget: new ReplyBudget({ bytesMax: 1_000_000, readBytesMax: 1_000, readBytesMin: 10 }),
  } as unknown as FetchContext
  const ask = (version: number) => {
    const asked = { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, lastFetchedEpoch: -1, partitionMaxBytes: 1_000 }
    const topic = version < 13 ? { topic: 'orders', topicId: zeroUuid } : { topic: '', topicId }
    const request = {
      replicaId: -1, replicaState: { replicaId: -1, replicaEpoch: -1 }, maxWaitMs: 400, minBytes: 1, maxBytes: 10_000, isolationLevel: 0,
      sessionId: 0, sessionEpoch: -1, topics: [{ ...topic, partitions: [asked] }], forgottenTopicsData: [], rackId: '',
    }
    const call = { version, arrivedAt: clock.monotonic(), signal: new AbortController().signal, onSent() {} }
    return Promise.resolve(fetch(context).handle(request as never, call as never))
  }
  const deleteTopic = () => {
    served.image = fold(image, 2, [{ type: 'topicDeleted', topicId }])
    served.leader = () => ErrorCode.UNKNOWN_TOPIC_ID
    for (const listener of listeners) listener(Infinity)
  }
  return { partition, listeners, ask, deleteTopic }
}

describe('a fetch that is held while its topic is deleted', () => {
  for (const [how, version, code] of [
    ['by name', 11, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION], ['by name', 12, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION], ['by id', 13, ErrorCode.UNKNOWN_TOPIC_ID],
  ] as const) {
    test(`is answered with ${code} where it went ${how}, in v${version}`, async () => {
      const { listeners, ask, deleteTopic } = world()
      const answered = ask(version)
      await turn()
      assert.equal(listeners.size, 1)
      deleteTopic()
      const response = await answered
      assert.equal(response!.responses[0]!.partitions[0]!.errorCode, code)
      assert.equal(listeners.size, 0)
    })
  }
})

test('a fetch that fails by a fault of the code leaves nobody who listens', async () => {
  const { partition, listeners, ask } = world()
  partition.read = () => Promise.reject(new TypeError('x is not a function'))
  await assert.rejects(ask(13), TypeError)
  assert.equal(listeners.size, 0)
})
