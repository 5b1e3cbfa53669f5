import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endTxnOffsets } from '../../broker/api/end-txn-offsets.ts'
import { fetch, type FetchContext } from '../../broker/api/fetch.ts'
import { FetchSessions } from '../../broker/api/fetch-session.ts'
import { describeProducers } from '../../broker/api/describe-producers.ts'
import { listOffsets } from '../../broker/api/list-offsets.ts'
import { offsetFetch } from '../../broker/api/offset-fetch.ts'
import type { PartitionContext } from '../../broker/api/partition-context.ts'
import { produce } from '../../broker/api/produce.ts'
import { producedCode } from '../../broker/api/transactional-produce.ts'
import { TurnedAway } from '../../broker/api/turned-away.ts'
import { txnOffsetCommit } from '../../broker/api/txn-offset-commit.ts'
import { writeTxnMarkers } from '../../broker/api/write-txn-markers.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import type { PartitionName, Transaction } from '../../broker/coordinator/enlister.ts'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import { LogWorld, topicId } from '../log/log-world.ts'
import { aBatch } from '../support/a-batch.ts'
import { aLeadingPartition } from '../support/a-leading-partition.ts'
import { CountingRandom, makeWorld } from '../coordinator/world.ts'

const image = fold(emptyImage, 1, [{ type: 'topicCreated', topicId, name: 'orders' }, newPartition(topicId, 0, [1])])

/** One partition, and a coordinator that answers as it is told. */
async function world(answer: (transaction: Transaction, place: PartitionName) => ErrorCode = () => ErrorCode.NONE) {
  const logs = new LogWorld()
  const partition = await aLeadingPartition({ topicId, log: await logs.open(), clock: logs.clock, leaderEpoch: 1 })
  const asked: Transaction[] = []
  const context = {
    image, clock: logs.clock, turnedAway: new TurnedAway({ producersMax: 10 }), othersKnow: async () => {},
    partitions: { leader: (_id: string, index: number) => (index === 0 ? partition : ErrorCode.NOT_LEADER_OR_FOLLOWER) },
    enlister: {
      partition: async (transaction: Transaction, place: PartitionName) => {
        asked.push(transaction)
        return answer(transaction, place)
      },
    },
  } as unknown as PartitionContext
  const send = async (baseSequence: number, { version = 12, producerEpoch = 0, producerId = 7 } = {}) => {
    const records = aBatch({ producerId, producerEpoch, baseSequence, isTransactional: true })
    const request = {
      transactionalId: 't', acks: -1, timeoutMs: 1_000, topicData: [{ name: 'orders', topicId, partitionData: [{ index: 0, records }] }],
    }
    const response = await produce(context).handle(request, { version } as never)
    return errorName(response!.responses[0]!.partitionResponses[0]!.errorCode)
  }
  const mark = async (of: { producerEpoch?: number; coordinatorEpoch?: number; commit?: boolean; transactionVersion?: number; partitionIndexes?: number[] }) => {
    const { producerEpoch = 0, coordinatorEpoch = 0, commit = true, transactionVersion = 0, partitionIndexes = [0] } = of
    const response = await writeTxnMarkers(context, { timeoutMs: 1_000 }).handle({
      markers: [{ producerId: 7, producerEpoch, transactionResult: commit, coordinatorEpoch, transactionVersion, topics: [{ name: 'orders', partitionIndexes }] }],
    }, { version: 2 } as never)
    return response!.markers[0]!.topics[0]!.partitions.map(({ errorCode }) => errorName(errorCode))
  }
  const producers = async () => {
    const response = await describeProducers(context).handle({ topics: [{ name: 'orders', partitionIndexes: [0] }] }, {} as never)
    const [one] = response!.topics[0]!.partitions[0]!.activeProducers
    return one && [one.producerEpoch, one.coordinatorEpoch, one.currentTxnStartOffset]
  }
  const latest = async (isolationLevel: number) => {
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }]
    const response = await listOffsets(context).handle(
      { replicaId: -1, isolationLevel, topics: [{ name: 'orders', partitions }], timeoutMs: 0 } as never, { version: 7 } as never,
    )
    return response!.topics[0]!.partitions[0]!.offset
  }
  return { context, partition, asked, send, mark, producers, latest }
}

test('since v12 writing makes a partition part of the transaction, and before it is only asked whether it is', async () => {
  const { asked, send, mark } = await world()
  assert.deepEqual([await send(0), await send(1)], ['NONE', 'NONE'])
  await mark({ producerEpoch: 1, transactionVersion: 2 })
  assert.equal(await send(0, { version: 11, producerEpoch: 1 }), 'NONE')
  assert.deepEqual(asked, [
    { transactionalId: 't', producerId: 7, producerEpoch: 0, verifyOnly: false }, { transactionalId: 't', producerId: 7, producerEpoch: 1, verifyOnly: true },
  ])
})

test('what a coordinator answers is told in codes that a producer of the version does the right thing about', () => {
  const told = (code: ErrorCode) => [9, 11, 12].map((version) => errorName(producedCode(code, version)))
  assert.deepEqual(told(ErrorCode.NONE), ['NONE', 'NONE', 'NONE'])
  for (const code of [ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NETWORK_EXCEPTION]) {
    assert.deepEqual(told(code), ['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS'])
  }
  assert.deepEqual(told(ErrorCode.CONCURRENT_TRANSACTIONS), ['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS', 'CONCURRENT_TRANSACTIONS'])
  assert.deepEqual(told(ErrorCode.TRANSACTION_ABORTABLE), ['INVALID_TXN_STATE', 'TRANSACTION_ABORTABLE', 'TRANSACTION_ABORTABLE'])
  assert.deepEqual(told(ErrorCode.PRODUCER_FENCED), ['INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_EPOCH'])
})

test('batches that were sent behind one that is refused for now do not come before it', async () => {
  let isReady = false
  const { send } = await world(() => (isReady ? ErrorCode.NONE : ErrorCode.NOT_COORDINATOR))
  for (const version of [11, 12]) {
    isReady = false
    const producerId = version
    assert.equal(await send(0, { version, producerId }), 'NOT_ENOUGH_REPLICAS')
    isReady = true
    assert.equal(await send(1, { version, producerId }), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    assert.deepEqual([await send(0, { version, producerId }), await send(1, { version, producerId })], ['NONE', 'NONE'])
  }
})

test('producers are described with their open transaction, and whoever ends it goes by that', async () => {
  const { send, mark, producers, latest } = await world()
  await send(0)
  assert.deepEqual(await producers(), [0, -1, 0])
  assert.deepEqual([await latest(0), await latest(1)], [1, 0])
  assert.deepEqual(await mark({ coordinatorEpoch: 3, partitionIndexes: [0, 1] }), ['NONE', 'NOT_LEADER_OR_FOLLOWER'])
  assert.deepEqual(await producers(), [0, 3, -1])
  assert.deepEqual([await latest(0), await latest(1)], [2, 2])
  assert.deepEqual(await mark({ coordinatorEpoch: 2 }), ['TRANSACTION_COORDINATOR_FENCED'])
  await send(1)
  assert.deepEqual(await mark({ coordinatorEpoch: 3, transactionVersion: 2 }), ['INVALID_PRODUCER_EPOCH'])
  assert.deepEqual(await mark({ coordinatorEpoch: 3, commit: false }), ['NONE'], 'as an operator aborts one')
  assert.deepEqual([await producers(), await latest(1)], [[0, 3, -1], 4])
})

test('what waits for stable records is answered when the marker comes, with those that were aborted', async () => {
  const { context, send, mark } = await world()
  const fetchContext = {
    ...context, brokerId: 1, fetchLimits: { waitMsMax: 60_000, coldGraceMs: 20, bytesMax: () => 1 << 20 },
    replyBudget: { allowance: (bytes: number) => bytes, take() {}, give() {} },
    fetchSessions: new FetchSessions({ clock: context.clock, random: new CountingRandom(), evictableAfterMs: 1, sessionsMax: () => 1 }),
  } as unknown as FetchContext
  await send(0)
  const asked = read(fetchContext, { minBytes: 200 })
  let isAnswered = false
  void asked.then(() => (isAnswered = true))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isAnswered, false)
  await mark({ commit: false })
  const { abortedTransactions, lastStableOffset } = await asked
  assert.deepEqual(abortedTransactions?.map(({ producerId, firstOffset }) => [producerId, firstOffset]), [[7, 0]])
  assert.equal(lastStableOffset, 2)
})

async function read(context: FetchContext, { minBytes }: { readonly minBytes: number }) {
  const response = await fetch(context).handle({
    replicaId: -1, replicaState: { replicaId: -1, replicaEpoch: -1 }, maxWaitMs: 60_000, minBytes, maxBytes: 1 << 20, isolationLevel: 1, sessionId: 0, sessionEpoch: -1, rackId: '', forgottenTopicsData: [],
    topics: [{ topic: 'orders', topicId, partitions: [{ partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, lastFetchedEpoch: -1, logStartOffset: -1, partitionMaxBytes: 1 << 20 }] }],
  } as never, { version: 12, arrivedAt: context.clock.monotonic(), signal: new AbortController().signal, onSent() {} } as never)
  return response!.responses![0]!.partitions[0]!
}

/** A group, and a coordinator of transactions that answers as it is told. */
function groupWorld(answer: (verifyOnly: boolean) => ErrorCode = () => ErrorCode.NONE) {
  const made = makeWorld()
  const { groups } = made
  const enlister = { group: async ({ verifyOnly }: Transaction) => ({ errorCode: answer(verifyOnly), coordinatorEpoch: 0 }) }
  const commit = async (version: number) => {
    const partition = (partitionIndex: number) => ({ partitionIndex, committedOffset: 20, committedLeaderEpoch: 1, committedMetadata: null })
    const response = await txnOffsetCommit(groups, enlister).handle({
      transactionalId: 't', groupId: 'g', producerId: 7, producerEpoch: 0, generationId: -1, memberId: '', groupInstanceId: null,
      topics: [{ name: 'orders', partitions: [partition(9), partition(0)] }, { name: 'none', partitions: [partition(0)] }],
    }, { version } as never)
    return response!.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorName(errorCode)))
  }
  const offset = async (requireStable: boolean, all = false) => {
    const topics = all ? null : [{ name: 'orders', topicId: '', partitionIndexes: [0] }]
    const response = await offsetFetch(groups).handle(
      { requireStable, groups: [{ groupId: 'g', memberId: null, memberEpoch: -1, topics }] } as never, { version: 8 } as never,
    )
    return response!.groups![0]!.topics.flatMap(({ partitions }) => partitions.map((one) => [one.committedOffset, errorName(one.errorCode)]))
  }
  return { ...made, commit, offset }
}

const unknown = 'UNKNOWN_TOPIC_OR_PARTITION'

test('offsets of a transaction are committed for what there is, and unstable until it ends', async () => {
  const { groups, commit, offset } = groupWorld()
  assert.deepEqual(await commit(5), [unknown, 'NONE', unknown])
  assert.deepEqual(await offset(true), [[-1, 'UNSTABLE_OFFSET_COMMIT']])
  assert.deepEqual(await offset(false), [[-1, 'NONE']])
  const end = { groupId: 'g', producerId: 7, producerEpoch: 1, committed: true, coordinatorEpoch: 0, hasOwnEpoch: true }
  for (let times = 0; times < 2; times++) assert.deepEqual(await endTxnOffsets(groups).handle(end, {} as never), { errorCode: ErrorCode.NONE })
  assert.deepEqual([await offset(true), await offset(true, true)], [[[20, 'NONE']], [[20, 'NONE']]])
  await commit(5)
  assert.deepEqual(await offset(true, true), [[-1, 'UNSTABLE_OFFSET_COMMIT']])
})

test('an offset commit asks the transaction\'s coordinator first, and is refused in codes of its version', async () => {
  const codes = async (code: ErrorCode) => Promise.all([3, 4, 5].map(async (version) => (await groupWorld(() => code).commit(version))[1]))
  assert.deepEqual(await codes(ErrorCode.NOT_COORDINATOR), Array.from({ length: 3 }, () => 'COORDINATOR_LOAD_IN_PROGRESS'))
  assert.deepEqual(await codes(ErrorCode.TRANSACTION_ABORTABLE), ['INVALID_TXN_STATE', 'TRANSACTION_ABORTABLE', 'TRANSACTION_ABORTABLE'])
  assert.deepEqual(await codes(ErrorCode.PRODUCER_FENCED), Array.from({ length: 3 }, () => 'INVALID_PRODUCER_EPOCH'))
  const verified: boolean[] = []
  const { commit } = groupWorld((verifyOnly) => {
    verified.push(verifyOnly)
    return ErrorCode.NONE
  })
  await commit(4)
  await commit(5)
  assert.deepEqual(verified, [true, false])
})

test('an end that comes while the coordinator is asked makes the offsets ask once more', async () => {
  const made = groupWorld(() => {
    void made.groups.endTransaction('g', { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, isCommit: false, hasOwnEpoch: false })
    return ErrorCode.NONE
  })
  assert.deepEqual(await made.commit(5), [unknown, 'COORDINATOR_LOAD_IN_PROGRESS', unknown])
  assert.equal(made.groups.guards.size, 0)
})
