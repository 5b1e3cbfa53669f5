// DescribeTransactions, v0: how transactions of this coordinator stand (KIP-664). A topic that was deleted since is left out.

import type { Topics } from '../coordinator/topics.ts'
import type { Transaction } from '../coordinator/transactions/transaction.ts'
import type { Transactions } from '../coordinator/transactions/transactions.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { describeTransactionsApi, type DescribeTransactionsResponse } from '../protocol/messages/describe-transactions.ts'
import type { HandlerOf } from './handler.ts'

type Described = DescribeTransactionsResponse['transactionStates'][number]

export function describeTransactions(transactions: Transactions): HandlerOf<typeof describeTransactionsApi> {
  return {
    api: describeTransactionsApi,

    async handle({ transactionalIds }) {
      return { transactionStates: await Promise.all(transactionalIds.map((id) => describe(transactions, id))) }
    },

    refuse: ({ transactionalIds }, code) => ({ transactionStates: transactionalIds.map((id) => refused(id, code)) }),
  }
}

async function describe(transactions: Transactions, transactionalId: string): Promise<Described> {
  const found = await transactions.execute<Transaction | null>(transactionalId, { kind: 'look' })
  if (typeof found === 'number') return refused(transactionalId, found)
  if (found === null) return refused(transactionalId, ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
  return {
    errorCode: ErrorCode.NONE, transactionalId, transactionState: found.state, transactionTimeoutMs: found.timeoutMs,
    transactionStartTimeMs: found.startedAt, producerId: found.producerId, producerEpoch: found.producerEpoch,
    topics: topicsOf(found, transactions.topics),
  }
}

function topicsOf({ partitions }: Transaction, topics: Topics): Described['topics'] {
  return [...partitions].flatMap(([topicId, numbers]) => {
    const topic = topics.byId(topicId)
    return topic === undefined ? [] : [{ topic: topic.name, partitions: [...numbers] }]
  })
}

function refused(transactionalId: string, errorCode: number): Described {
  return {
    errorCode, transactionalId, transactionState: '', transactionTimeoutMs: 0, transactionStartTimeMs: 0, producerId: 0, producerEpoch: 0,
    topics: [],
  }
}
