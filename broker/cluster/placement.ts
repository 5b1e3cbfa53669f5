import type { PartitionChanged } from './metadata-record.ts'
import type { Image, TopicImage } from './image.ts'

/**
 * Spreads the replicas of new partitions over the brokers, the first of each being its leader: round robin from
 * `start`, so that leaders are even. `replicationFactor` is at most the number of brokers.
 */
export function placeReplicas(
  brokers: readonly number[],
  wanted: { readonly partitions: number; readonly replicationFactor: number; readonly start: number },
): number[][] {
  const { partitions, replicationFactor, start } = wanted
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: replicationFactor }, (_, replica) => brokers[(start + partition + replica) % brokers.length]!),
  )
}

/** The first state of a partition: led by its first replica, everybody in sync with nothing. */
export function newPartition(topicId: string, partition: number, replicas: readonly number[]): PartitionChanged {
  return {
    type: 'partitionChanged', topicId, partition,
    leader: replicas[0]!, leaderEpoch: 0, partitionEpoch: 0, replicas, isr: replicas, elr: [],
  }
}

/**
 * What a broker that starts asks for: a new epoch for each partition that it led. A restarted broker never resumes an
 * epoch, because it may have lost what it had in memory and would then write other records at the same offsets of the
 * same epoch, which no truncation by epoch could tell apart (docs/invariants.md).
 */
export function leadAnew(image: Image, brokerId: number): PartitionChanged[] {
  const changes: PartitionChanged[] = []
  for (const topic of image.topics.values()) changes.push(...leadTopicAnew(topic, brokerId))
  return changes
}

function leadTopicAnew(topic: TopicImage, brokerId: number): PartitionChanged[] {
  return topic.partitions
    .filter((partition) => partition.leader === brokerId)
    .map((partition) => ({
      type: 'partitionChanged', topicId: topic.id, ...partition,
      leaderEpoch: partition.leaderEpoch + 1, partitionEpoch: partition.partitionEpoch + 1,
    }))
}
