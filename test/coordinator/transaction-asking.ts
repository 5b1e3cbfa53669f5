import type { Producer, Transaction } from '../../broker/coordinator/transactions/transaction.ts'
import type { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { TransactionWorld } from './transaction-world.ts'

export function begin({ transactions }: TransactionWorld, id = 't', timeoutMs = 60_000): Promise<Producer | ErrorCode> {
  return transactions.execute(id, { kind: 'init', transactionalId: id, timeoutMs, expected: undefined })
}

/** A partition of orders. */
export function add({ transactions }: TransactionWorld, producer: Producer, partition: number, id = 't'): Promise<ErrorCode> {
  const partitions = [{ topicId: 'id-of-orders', partition }]
  return transactions.execute(id, { kind: 'add', ...producer, partitions, groups: [], version: 2 })
}

export function end({ transactions }: TransactionWorld, producer: Producer, isCommit = true, id = 't'): Promise<Producer | ErrorCode> {
  return transactions.execute(id, { kind: 'end', ...producer, isCommit, version: 2 })
}

export function look({ transactions }: TransactionWorld, id = 't'): Promise<Transaction | null | ErrorCode> {
  return transactions.execute(id, { kind: 'look' })
}
