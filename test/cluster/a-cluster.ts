import { emptyImage, fold, type Image, type PartitionImage } from '../../broker/cluster/image.ts'
import { planRegistration, type Registration } from '../../broker/cluster/leadership.ts'
import type { MetadataRecord, PartitionChanged } from '../../broker/cluster/metadata-record.ts'
import { newPartition } from '../../broker/cluster/placement.ts'

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
