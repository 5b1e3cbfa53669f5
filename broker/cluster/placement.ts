import type { PartitionChanged } from './metadata-record.ts'

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
