import type { Json } from '../../table/table.ts'
import type { OffsetRecord } from '../group.ts'
import { bucketPrefix } from '../group-items.ts'
import type { OffsetBucket } from './offsets.ts'

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
  return (value as unknown as StoredOffset[]).map(([partition, offset, leaderEpoch, metadata, committedAt, expiresAt]) =>
    ({ type: 'offset', topicId, partition, offset: { offset, leaderEpoch, metadata, committedAt, expiresAt } }))
}
