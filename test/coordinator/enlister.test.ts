import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CoordinatorDirectory } from '../../broker/coordinator/directory.ts'
import { Enlister, type EnlisterLimits } from '../../broker/coordinator/enlister.ts'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import type { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } from '../../broker/protocol/messages/add-partitions-to-txn.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'

const limits: EnlisterLimits = { transactionsPerAskMax: 3, asksInFlightMax: 2, waitingMax: 100, retryMs: 20, retryMsMax: 100 }

type Answer = (code: ErrorCode | 'lost' | 'whole') => void

/** An enlister whose questions are answered when the test says so: one code for all partitions. */
function world(given: Partial<EnlisterLimits> = {}, owner: (shard: number) => number = () => 1) {
  const clock = new ManualClock()
  const directory: CoordinatorDirectory = {
    brokerId: 1, ownerOf: (_kind, shard) => (owner(shard) < 0 ? ErrorCode.COORDINATOR_NOT_AVAILABLE : { nodeId: owner(shard), host: '', port: 1 }),
  }
  const asked: { readonly brokerId: number; readonly about: string; readonly answer: Answer }[] = []
  const enlister = new Enlister({
    clock, directory, limits: { ...limits, ...given },
    addPartitions: (brokerId, request) => new Promise((resolve, reject) => asked.push({
      brokerId, about: aboutOf(request),
      answer: (code) => (code === 'lost' ? reject(new Error('lost')) : resolve(answerTo(request, code === 'whole' ? { whole: ErrorCode.NOT_COORDINATOR } : { each: code }))),
    })),
    addGroup: (brokerId, request) => new Promise((resolve, reject) => asked.push({
      brokerId, about: `${request.transactionalId} ${request.groupId}`,
      answer: (code) => (typeof code === 'string' ? reject(new Error(code)) : resolve({ errorCode: code, coordinatorEpoch: 4 })),
    })),
  })
  const want = (transactionalId: string, partition: number, { verifyOnly = false, producerEpoch = 0 } = {}) => {
    const transaction = { transactionalId, producerId: 7, producerEpoch, verifyOnly }
    return enlister.partition(transaction, { topic: 'orders', partition }).then(errorName)
  }
  return { clock, asked, enlister, want }
}

function aboutOf({ transactions }: AddPartitionsToTxnRequest): string {
  return transactions.map(({ transactionalId, verifyOnly, producerEpoch, topics }) => {
    const epoch = producerEpoch === 0 ? '' : `@${producerEpoch}`
    return `${verifyOnly ? '?' : ''}${transactionalId}${epoch}:${topics.map(({ partitions }) => partitions.join()).join(' ')}`
  }).join(' ')
}

function answerTo({ transactions }: AddPartitionsToTxnRequest, { whole = 0, each = 0 }: { whole?: number; each?: number }): AddPartitionsToTxnResponse {
  return {
    errorCode: whole,
    resultsByTransaction: transactions.map(({ transactionalId, topics }) => ({
      transactionalId,
      topicResults: topics.map(({ name, partitions }) => ({
        name, resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: each })),
      })),
    })),
  }
}

test('what is wanted in one turn goes in one question, each partition once', async () => {
  const { asked, want } = world()
  const wanted = [want('a', 0), want('a', 1), want('b', 0), want('a', 0)]
  await turn()
  assert.deepEqual(asked.map(({ about }) => about), ['a:0,1 b:0'])
  asked[0]!.answer(ErrorCode.NONE)
  assert.deepEqual(await Promise.all(wanted), ['NONE', 'NONE', 'NONE', 'NONE'])
})

test('so many questions are under way to a coordinator, and what comes meanwhile goes together in the next', async () => {
  const { asked, want } = world()
  const wanted = [want('a', 0)]
  await turn()
  wanted.push(want('b', 0))
  await turn()
  for (const id of ['c', 'd', 'e', 'f']) wanted.push(want(id, 0))
  await turn()
  assert.deepEqual(asked.map(({ about }) => about), ['a:0', 'b:0'])
  asked[0]!.answer(ErrorCode.NONE)
  await turn()
  assert.deepEqual(asked.slice(2).map(({ about }) => about), ['c:0 d:0 e:0'])
  asked[1]!.answer(ErrorCode.NONE)
  await turn()
  assert.deepEqual(asked.slice(3).map(({ about }) => about), ['f:0'])
  for (const { answer } of asked) answer(ErrorCode.NONE)
  assert.deepEqual(new Set(await Promise.all(wanted)), new Set(['NONE']))
})

test('two epochs of a transaction, and what is only asked, are never in one question: its answer could not tell them apart', async () => {
  const { asked, want } = world()
  const wanted = [want('a', 0), want('a', 0, { producerEpoch: 1 }), want('a', 1, { verifyOnly: true })]
  await turn()
  asked[0]!.answer(ErrorCode.NONE)
  asked[1]!.answer(ErrorCode.INVALID_PRODUCER_EPOCH)
  await turn()
  assert.deepEqual(asked.map(({ about }) => about), ['a:0', 'a@1:0', '?a:1'])
  asked[2]!.answer(ErrorCode.TRANSACTION_ABORTABLE)
  assert.deepEqual(await Promise.all(wanted), ['NONE', 'INVALID_PRODUCER_EPOCH', 'TRANSACTION_ABORTABLE'])
})

test('each coordinator has questions of its own', async () => {
  const { asked, want } = world({}, (shard) => shard % 2)
  const wanted = ['a', 'b', 'c', 'd'].map((id) => want(id, 0))
  await turn()
  assert.deepEqual(asked.map(({ brokerId }) => brokerId).sort(), [0, 1])
  for (const { answer } of asked) answer(ErrorCode.NONE)
  await Promise.all(wanted)
})

test('an answer that is lost, is about the whole, or does not say, is never yes', async () => {
  const { asked, want } = world()
  const wanted = [want('a', 0)]
  await turn()
  asked[0]!.answer('lost')
  await turn()
  wanted.push(want('a', 0))
  await turn()
  asked[1]!.answer('whole')
  assert.deepEqual(await Promise.all(wanted), ['NETWORK_EXCEPTION', 'NOT_COORDINATOR'])
  const enlister = new Enlister({
    clock: new ManualClock(), limits, directory: { brokerId: 1, ownerOf: () => ({ nodeId: 1, host: '', port: 1 }) },
    addPartitions: async () => ({ resultsByTransaction: [] }), addGroup: async () => ({ errorCode: 0 }),
  })
  const silent = await enlister.partition({ transactionalId: 'a', producerId: 7, producerEpoch: 0, verifyOnly: false }, { topic: 'orders', partition: 0 })
  assert.equal(silent, ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('nobody to ask, and too many who wait, are said at once', async () => {
  assert.equal(await world({}, () => -1).want('a', 0), 'COORDINATOR_NOT_AVAILABLE')
  const { asked, want } = world({ waitingMax: 2, asksInFlightMax: 1 })
  void want('a', 0)
  await turn()
  void want('b', 0)
  void want('c', 0)
  assert.equal(await want('d', 0), 'COORDINATOR_LOAD_IN_PROGRESS')
  asked[0]!.answer(ErrorCode.NONE)
  await turn()
  void want('d', 0)
  assert.equal(asked.length, 2)
})

test('while the transaction before is completed it is asked again for a moment, unless it is only asked', async () => {
  const { clock, asked, want } = world()
  const patient = want('a', 0)
  await turn()
  asked[0]!.answer(ErrorCode.CONCURRENT_TRANSACTIONS)
  await clock.advance(20)
  asked[1]!.answer(ErrorCode.NONE)
  assert.equal(await patient, 'NONE')
  const verifying = want('a', 0, { verifyOnly: true })
  await turn()
  asked[2]!.answer(ErrorCode.CONCURRENT_TRANSACTIONS)
  assert.equal(await verifying, 'CONCURRENT_TRANSACTIONS')
  const refused = want('a', 0)
  for (let next = 3; next < 9; next++) {
    await clock.advance(20)
    asked[next]?.answer(ErrorCode.CONCURRENT_TRANSACTIONS)
  }
  assert.equal(await refused, 'CONCURRENT_TRANSACTIONS')
  assert.equal(asked.length, 8, 'the last one at the end of the hundred milliseconds')
})

test('a group is made part of a transaction by a question of its own, which says the coordinator\'s epoch', async () => {
  const { asked, enlister } = world()
  const transaction = { transactionalId: 'a', producerId: 7, producerEpoch: 0, verifyOnly: false }
  const added = enlister.group(transaction, 'g')
  await turn()
  assert.equal(asked[0]!.about, 'a g')
  asked[0]!.answer(ErrorCode.NONE)
  assert.deepEqual(await added, { errorCode: ErrorCode.NONE, coordinatorEpoch: 4 })
  const lost = enlister.group(transaction, 'g')
  await turn()
  asked[1]!.answer('lost')
  assert.equal((await lost).errorCode, ErrorCode.NETWORK_EXCEPTION)
})
