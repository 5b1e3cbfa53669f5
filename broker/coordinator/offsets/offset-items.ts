import type { Json } from '../../table/table.ts'
import type { OffsetRecord } from '../group.ts'
import { bucketPrefix, pendingPrefix } from '../group-items.ts'
import type { OffsetBucket, OffsetChange } from './offsets.ts'
import type { PendingRecord, PendingSource } from './pending.ts'

export function bucketItem(bucket: OffsetBucket): Json {
  return [...bucket].map(([partition, { offset, leaderEpoch, metadata, committedAt, expiresAt }]) =>
    expiresAt === undefined
      ? [partition, offset, leaderEpoch, metadata, committedAt]
      : [partition, offset, leaderEpoch, metadata, committedAt, expiresAt])
}

type StoredOffset = [
  partition: number, offset: number, leaderEpoch: number, metadata: string, committedAt: number, expiresAt?: number,
]

export function recordsOfBucket(sort: string, value: Json): OffsetRecord[] {
  const topicId = sort.slice(bucketPrefix.length, sort.lastIndexOf('#'))
  return changesOf(topicId, value).map((change) => ({ type: 'offset', ...change }))
}

export function pendingItem(bucket: OffsetBucket, { producerEpoch, coordinatorEpoch }: PendingSource): Json {
  return { producerEpoch, coordinatorEpoch, offsets: bucketItem(bucket) }
}

export function recordsOfPending(sort: string, value: Json): PendingRecord[] {
  const [producerId, topicId] = sort.slice(pendingPrefix.length).split('#')
  const { producerEpoch, coordinatorEpoch, offsets } = value as unknown as PendingSource & { readonly offsets: Json }
  return changesOf(topicId!, offsets).map((change) => {
    return { type: 'pendingOffset', producerId: Number(producerId), producerEpoch, coordinatorEpoch, ...change }
  })
}

function changesOf(topicId: string, value: Json): OffsetChange[] {
  return (value as unknown as StoredOffset[]).map(([partition, offset, leaderEpoch, metadata, committedAt, expiresAt]) =>
    ({ topicId, partition, offset: { offset, leaderEpoch, metadata, committedAt, expiresAt } }))
}
