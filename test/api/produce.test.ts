import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionContext } from '../../broker/api/partition-context.ts'
import { produce } from '../../broker/api/produce.ts'
import { TurnedAway } from '../../broker/api/turned-away.ts'
import { emptyImage, fold } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import type { Appended } from '../../broker/log/pending-appends.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { aBatch } from '../support/a-batch.ts'

const image = fold(emptyImage, 1, [{ type: 'topicCreated', topicId: 't', name: 'orders' }, newPartition('t', 0, [1]), newPartition('t', 1, [1])])

const taken: Appended = { errorCode: ErrorCode.NONE, baseOffset: 5, endOffset: 6, logAppendTime: -1 }

/** A request for partitions 0 and 1; what they do with their records is given. */
function world(leader: (index: number) => unknown) {
  const context = {
    image, partitions: { leader: (_topic: string, index: number) => leader(index) }, turnedAway: new TurnedAway({ producersMax: 10 }),
    othersKnow: async () => {},
  } as unknown as PartitionContext
  const send = (batches: readonly Buffer[]) => {
    const partitionData = batches.map((records, index) => ({ index, records }))
    const request = { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData: [{ name: 'orders', topicId: '', partitionData }] }
    const answered = Promise.resolve(produce(context).handle(request, { version: 12 } as never))
    return answered.then((response) => response!.responses[0]!.partitionResponses.map(({ errorCode }) => errorCode))
  }
  return { context, send }
}

const open = (append: () => Promise<Appended>) => ({ append, topicId: 't', logStartOffset: 0, log: { admitted: { knows: () => false } } })
/** Nobody is ever given this id, and no number can hold it. */
function impossible(): Buffer {
  const batch = aBatch({ producerId: 7 })
  batch.writeBigInt64BE(2n ** 60n, 43)
  return batch
}

async function settles(promise: Promise<unknown>): Promise<boolean> {
  let hasSettled = false
  promise.then(() => (hasSettled = true), () => (hasSettled = true))
  await new Promise((resolve) => setImmediate(resolve))
  return hasSettled
}

test('a header that cannot be read refuses its partition alone, wherever that is looked at', async () => {
  for (const other of [ErrorCode.NOT_LEADER_OR_FOLLOWER, open(async () => ({ ...taken, errorCode: ErrorCode.INVALID_RECORD }))]) {
    const { context, send } = world((index) => (index === 0 ? open(async () => taken) : other))
    context.turnedAway.remember('somewhere', { producerId: 1, producerEpoch: 0, baseSequence: 0 })
    const [first, second] = await send([aBatch(), impossible()])
    assert.deepEqual([first, second], [ErrorCode.NONE, typeof other === 'number' ? other : ErrorCode.INVALID_RECORD])
  }
})

test('there is no answer, not even that of a defect, before every append has one: the memory of the records is used again then', async () => {
  const written = Promise.withResolvers<Appended>()
  const { send } = world((index) => {
    if (index === 1) throw new TypeError('a defect')
    return open(() => written.promise)
  })
  const answered = send([aBatch(), aBatch()])
  assert.equal(await settles(answered), false)
  written.resolve(taken)
  await assert.rejects(answered, TypeError)
})

test('a transactional batch without a transactional id is refused, and the others of the request are not', async () => {
  const { send } = world(() => open(async () => taken))
  const codes = await send([aBatch({ producerId: 7, isTransactional: true }), aBatch()])
  assert.deepEqual(codes, [ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ErrorCode.NONE])
})
