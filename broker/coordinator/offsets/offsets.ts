import type { Uuid } from '../../runtime/random.ts'

/**
 * What a group has committed, by topic id: a topic that is deleted and made again under its name inherits nothing.
 * Partitions come in buckets, which are also how they are stored (group-items.ts).
 */
export type Offsets = ReadonlyMap<Uuid, ReadonlyMap<number, OffsetBucket>>

/** Offsets by partition. */
export type OffsetBucket = ReadonlyMap<number, CommittedOffset>

export interface CommittedOffset {
  readonly offset: number
  /** -1: the client did not say. */
  readonly leaderEpoch: number
  readonly metadata: string
  /** Wall clock, milliseconds. */
  readonly committedAt: number
  /** Wall clock; only where the client asked for a retention of its own (OffsetCommit before v5). */
  readonly expiresAt: number | undefined
}

/** Partitions of one topic that share an item. */
export const bucketLength = 16

export const noOffsets: Offsets = new Map()

const noBuckets: ReadonlyMap<number, OffsetBucket> = new Map()
const noBucket: OffsetBucket = new Map()

export function bucketOf(partition: number): number {
  return Math.floor(partition / bucketLength)
}

export function offsetOf(offsets: Offsets, topicId: Uuid, partition: number): CommittedOffset | undefined {
  return offsets.get(topicId)?.get(bucketOf(partition))?.get(partition)
}

export interface OffsetChange {
  readonly topicId: Uuid
  readonly partition: number
  readonly offset: CommittedOffset | undefined
}

/** Copies only the buckets that change. */
export function foldOffsets(offsets: Offsets, changes: readonly OffsetChange[]): Offsets {
  if (changes.length === 0) return offsets
  const topics = new Map(offsets)
  const freshTopics = new Map<Uuid, Map<number, OffsetBucket>>()
  const freshBuckets = new Map<OffsetBucket, Map<number, CommittedOffset>>()
  for (const { topicId, partition, offset } of changes) {
    let buckets = freshTopics.get(topicId)
    if (buckets === undefined) freshTopics.set(topicId, (buckets = new Map(topics.get(topicId) ?? noBuckets)))
    topics.set(topicId, buckets)
    const number = bucketOf(partition)
    const old = buckets.get(number) ?? noBucket
    let bucket = freshBuckets.get(old)
    if (bucket === undefined) {
      bucket = new Map(old)
      freshBuckets.set(bucket, bucket)
      buckets.set(number, bucket)
    }
    if (offset === undefined) bucket.delete(partition)
    else bucket.set(partition, offset)
    if (bucket.size === 0) buckets.delete(number)
    if (buckets.size === 0) {
      topics.delete(topicId)
      freshTopics.delete(topicId)
    }
  }
  return topics
}

export function* eachOffset(offsets: Offsets): Generator<{ topicId: Uuid; partition: number; offset: CommittedOffset }> {
  for (const [topicId, buckets] of offsets) {
    for (const bucket of buckets.values()) {
      for (const [partition, offset] of bucket) yield { topicId, partition, offset }
    }
  }
}
