import { strict as assert } from 'node:assert'
import { emptyImage, fold, type Image, type PartitionImage } from '../../broker/cluster/image.ts'
import { planRegistration, type Registration } from '../../broker/cluster/leadership.ts'
import type { MetadataRecord, PartitionChanged } from '../../broker/cluster/metadata-record.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { planReassignment, type WantedReassignment } from '../../broker/cluster/reassignment.ts'

export const strict = { minIsr: 2, isUncleanElectionAllowed: false }
export const rulesOf = () => strict

export function apply(image: Image, records: readonly MetadataRecord[]): Image {
  return records.length === 0 ? image : fold(image, image.sequence + 1, records)
}

export function registration(brokerId: number, overrides: Partial<Registration> = {}): Registration {
  return { brokerId, incarnation: 'i', diskId: `disk of ${brokerId}`, host: 'h', port: 1, rack: null, isIntact: () => true, ...overrides }
}

/** As many brokers, from 1 on, and a topic `t` with these replicas. */
export function aCluster({ brokers, replicas }: { readonly brokers: number; readonly replicas: readonly (readonly number[])[] }): Image {
  let image = emptyImage
  for (let id = 1; id <= brokers; id++) image = apply(image, planRegistration(image, registration(id), rulesOf))
  return apply(image, [
    { type: 'topicCreated', topicId: 't', name: 't' }, ...replicas.map((ids, partition) => newPartition('t', partition, ids)),
  ])
}

/** Brokers from 1 on, each in one of the racks. */
export function clusterIn(racks: readonly (string | null)[]): Image {
  return fold(emptyImage, 1, racks.map((rack, index) => ({
    type: 'brokerRegistered' as const, brokerId: index + 1, incarnation: 'i', diskId: 'd', host: 'h', port: 1, rack,
  })))
}

export function withTopic(image: Image, name: string, replicas: readonly (readonly number[])[]): Image {
  return apply(image, [{ type: 'topicCreated', topicId: name, name }, ...replicas.map((ids, index) => newPartition(name, index, ids))])
}

export function withSetting(image: Image, broker: string, name: string, value: string | null): Image {
  return apply(image, [{ type: 'configChanged', resource: { kind: 'broker', name: broker }, changes: [[name, value]] }])
}

/** The broker does not serve; what it led and was in sync with stays as it was. */
export function away(image: Image, brokerId: number): Image {
  return apply(image, [{ type: 'brokerFenced', ...epochOf(image, brokerId) }])
}

/** Begins each of the moves, which must be possible. */
export function begun(image: Image, moves: readonly WantedReassignment[]): Image {
  return moves.reduce((before, move) => {
    const record = planReassignment(before, move, { mayChangeFactor: false, rulesOf })
    assert.ok(record !== undefined && 'type' in record)
    return apply(before, [record])
  }, image)
}

/** The same image, which counts how often somebody looked at the replicas of a partition: what plans over all of them take. */
export function counted(image: Image) {
  let looks = 0
  const topics = new Map([...image.topics].map(([id, topic]) => [id, {
    ...topic,
    partitions: topic.partitions.map(({ replicas, ...partition }) => ({
      ...partition,
      get replicas() {
        looks++
        return replicas
      },
    })),
  }]))
  return { image: { ...image, topics }, looks: () => looks }
}

export function partitionOf(image: Image, index = 0): PartitionImage {
  return image.topics.get('t')!.partitions[index]!
}

/** The same partition with something else, as a record. */
export function changedTo(image: Image, change: Partial<PartitionImage>, index = 0): PartitionChanged {
  const partition = partitionOf(image, index)
  return { type: 'partitionChanged', topicId: 't', ...partition, partitionEpoch: partition.partitionEpoch + 1, ...change }
}

export function epochOf(image: Image, brokerId: number) {
  return { brokerId, brokerEpoch: image.brokers.get(brokerId)!.brokerEpoch }
}
