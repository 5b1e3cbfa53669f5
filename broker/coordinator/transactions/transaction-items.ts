// Everything that the transaction coordinator stores, and how. Names are stored: they must not change.
//
//   table partition        sort key              holds
//   txns#<shard>           =<transactional id>   one item per id, so that a shard is listed by a query
//
// The item is the transaction, and its version is the fence: a coordinator that loads one writes it again under the next
// coordinator epoch, and every later write has the version as its condition. A deposed coordinator therefore writes nothing, and
// what it has sent before is told from what its successor sends by that epoch.
//
//   { kind: 'live', owner, coordinatorEpoch, state, producer: [id, epoch], last: [id, epoch], next: id, timeoutMs, startedAt,
//     changedAt, version, partitions: { <topic id>: [number, ...] }, groups: [id, ...] }
//   { kind: 'forgotten', owner, coordinatorEpoch, changedAt }     kept for a day: versions must not start over under a zombie's eyes

import type { Key } from '../../table/table.ts'
import { shardOf } from '../directory.ts'
import type { Transaction, TransactionState, TransactionVersion } from './transaction.ts'

export type StoredTransaction = (LiveItem | { readonly kind: 'forgotten' }) & {
  /** The broker that wrote it last. For people: the fence is the version. */
  readonly owner: number
  readonly coordinatorEpoch: number
  /** Wall clock, milliseconds. */
  readonly changedAt: number
}

interface LiveItem {
  readonly kind: 'live'
  readonly state: TransactionState
  readonly producer: readonly [id: number, epoch: number]
  readonly last: readonly [id: number, epoch: number]
  readonly next: number
  readonly timeoutMs: number
  readonly startedAt: number
  readonly version: TransactionVersion
  readonly partitions: Readonly<Record<string, readonly number[]>>
  readonly groups: readonly string[]
}

/** Bytes of UTF-8; the table's sort keys have 1,024. Kafka has no limit but that of a string. */
const transactionalIdBytesMax = 1_000

/** The empty id is one that clients may not have. */
export function canBeTransactionalId(id: string): boolean {
  return id !== '' && id.isWellFormed() && Buffer.byteLength(id) <= transactionalIdBytesMax
}

export function shardPartition(shard: number): string {
  return `txns#${shard}`
}

export function itemKey(transactionalId: string): Key {
  return { partition: shardPartition(shardOf(transactionalId)), sort: `=${transactionalId}` }
}

export function transactionalIdOf({ sort }: Key): string {
  return sort.slice(1)
}

export function itemOf(
  transaction: Transaction | undefined, { owner, coordinatorEpoch, now }: { owner: number; coordinatorEpoch: number; now: number },
): StoredTransaction {
  if (transaction === undefined) return { kind: 'forgotten', owner, coordinatorEpoch, changedAt: now }
  const { state, timeoutMs, startedAt, changedAt, version, groups } = transaction
  return {
    kind: 'live', owner, coordinatorEpoch, state, timeoutMs, startedAt, changedAt, version,
    producer: [transaction.producerId, transaction.producerEpoch],
    last: [transaction.previousProducerId, transaction.lastProducerEpoch],
    next: transaction.nextProducerId,
    partitions: Object.fromEntries([...transaction.partitions].map(([topicId, partitions]) => [topicId, [...partitions]])),
    groups: [...groups],
  }
}

export function transactionOf(transactionalId: string, item: StoredTransaction): Transaction | undefined {
  if (item.kind === 'forgotten') return undefined
  const { state, timeoutMs, startedAt, changedAt, version, producer, last, next } = item
  return {
    transactionalId, state, timeoutMs, startedAt, changedAt, version,
    producerId: producer[0], producerEpoch: producer[1], previousProducerId: last[0], lastProducerEpoch: last[1], nextProducerId: next,
    partitions: new Map(Object.entries(item.partitions).map(([topicId, partitions]) => [topicId, new Set(partitions)])),
    groups: new Set(item.groups),
  }
}
