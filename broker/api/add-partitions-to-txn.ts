// AddPartitionsToTxn, v0-v5: makes partitions part of a transaction, which begins with the first of them (KIP-98). They are
// durable as part of it before the answer. All or none are added: beside one that does not exist, the others are not attempted.
//
//   v2  PRODUCER_FENCED (KIP-588); before, INVALID_PRODUCER_EPOCH
//   v4  from leaders, for many transactions (KIP-890): adds for clients of transaction version 2, verifies for older ones
//   v5  TRANSACTION_ABORTABLE; before, INVALID_TXN_STATE

import type { Topics } from '../coordinator/topics.ts'
import type { Ask } from '../coordinator/transactions/live-transaction.ts'
import type { TransactionPartition } from '../coordinator/transactions/transaction.ts'
import type { Transactions } from '../coordinator/transactions/transactions.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import {
  addPartitionsToTxnApi, type AddPartitionsToTxnRequest, type AddPartitionsToTxnResponse,
} from '../protocol/messages/add-partitions-to-txn.ts'
import type { HandlerOf } from './handler.ts'

type Asked = AddPartitionsToTxnRequest['transactions'][number]
type AskedTopics = Asked['topics']
type Results = NonNullable<AddPartitionsToTxnResponse['resultsByTopicV3AndBelow']>

export function addPartitionsToTxn(transactions: Transactions): HandlerOf<typeof addPartitionsToTxnApi> {
  return {
    api: addPartitionsToTxnApi,

    async handle(request, { version }) {
      if (version <= 3) return { resultsByTopicV3AndBelow: await perform(transactions, alone(request), version) }
      const resultsByTransaction = await Promise.all(request.transactions.map(async (asked) =>
        ({ transactionalId: asked.transactionalId, topicResults: await perform(transactions, asked, version) })))
      return { errorCode: ErrorCode.NONE, resultsByTransaction }
    },

    refuse: (request, code) => ({
      errorCode: code,
      resultsByTransaction: request.transactions.map(({ transactionalId, topics }) =>
        ({ transactionalId, topicResults: every(topics, code) })),
      resultsByTopicV3AndBelow: every(request.v3AndBelowTopics, code),
    }),
  }
}

function alone(request: AddPartitionsToTxnRequest): Asked {
  return {
    transactionalId: request.v3AndBelowTransactionalId, producerId: request.v3AndBelowProducerId,
    producerEpoch: request.v3AndBelowProducerEpoch, verifyOnly: false, topics: request.v3AndBelowTopics,
  }
}

async function perform(transactions: Transactions, asked: Asked, version: number): Promise<Results> {
  const { transactionalId, producerId, producerEpoch, verifyOnly, topics } = asked
  const partitions = resolved(transactions.topics, topics)
  if (partitions === undefined) {
    return results(topics, (name, partition) =>
      exists(transactions.topics, name, partition) ? ErrorCode.OPERATION_NOT_ATTEMPTED : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }
  const what = { producerId, producerEpoch, partitions, groups: [] }
  const ask: Ask = verifyOnly ? { kind: 'verify', ...what } : { kind: 'add', ...what, version: version >= 4 ? 2 : 0 }
  const answer = await transactions.execute<readonly ErrorCode[]>(transactionalId, ask, { isBesideOthers: version >= 4 })
  if (typeof answer === 'number') return every(topics, codeFor(version, answer))
  let index = 0
  return results(topics, () => codeFor(version, answer[index++]!))
}

function exists(topics: Topics, name: string, partition: number): boolean {
  return partition >= 0 && partition < (topics.byName(name)?.partitionCount ?? 0)
}

/** In the order in which they were asked for; undefined: there is one that does not exist. */
function resolved(known: Topics, asked: AskedTopics): TransactionPartition[] | undefined {
  if (asked.some(({ name, partitions }) => !partitions.every((partition) => exists(known, name, partition)))) return undefined
  return asked.flatMap(({ name, partitions }) => partitions.map((partition) => ({ topicId: known.byName(name)!.id, partition })))
}

function codeFor(version: number, code: ErrorCode): ErrorCode {
  if (version < 2 && code === ErrorCode.PRODUCER_FENCED) return ErrorCode.INVALID_PRODUCER_EPOCH
  return version < 5 && code === ErrorCode.TRANSACTION_ABORTABLE ? ErrorCode.INVALID_TXN_STATE : code
}

function every(topics: AskedTopics, code: number): Results {
  return results(topics, () => code)
}

function results(topics: AskedTopics, codeOf: (topic: string, partition: number) => number): Results {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: codeOf(name, partitionIndex) })),
  }))
}
