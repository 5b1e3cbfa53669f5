import { emptyImage, fold, type Image, type PartitionImage } from '../broker/cluster/image.ts'
import type { RulesOf } from '../broker/cluster/leadership.ts'
import type { BrokerRegistered, MetadataRecord } from '../broker/cluster/metadata-record.ts'
import type { Rules } from '../broker/runtime/rules.ts'
import type { Uuid } from '../broker/runtime/random.ts'

export const minIsr = 2
export const topicId = 'topic' as Uuid
const replicas = [0, 1, 2]

export function rulesOf(rules: Rules): RulesOf {
  const topic = { minIsr, isUncleanElectionAllowed: false, kept: rules }
  return () => topic
}

export function registered(brokerId: number, disk: number): Omit<BrokerRegistered, 'type'> {
  return { brokerId, incarnation: 'start' as Uuid, diskId: `disk ${disk}` as Uuid, host: '', port: 0, rack: null }
}

/** All brokers serve, all are in sync, and the first leads. */
export function firstImage(): Image {
  let image = emptyImage
  for (const id of replicas) image = fold(image, image.sequence + 1, [{ type: 'brokerRegistered', ...registered(id, 0) }])
  return fold(image, image.sequence + 1, [
    { type: 'topicCreated', topicId, name: 'topic' },
    { type: 'partitionChanged', topicId, partition: 0, leader: 0, leaderEpoch: 1, partitionEpoch: 0, replicas, isr: replicas, elr: [] },
  ])
}

export function partitionOf(image: Image): PartitionImage {
  return image.topics.get(topicId)!.partitions[0]!
}

/** What follows from an image, the same object each time: millions of worlds share few of them. */
const known = new Map<string, Image>()

export function next(image: Image, records: readonly MetadataRecord[]): Image {
  const made = fold(image, image.sequence + 1, records)
  const key = keyOf(made)
  const same = known.get(key)
  if (same !== undefined) return same
  known.set(key, made)
  return made
}

const keys = new WeakMap<Image, string>()

/** All of an image that anybody looks at. */
export function keyOf(image: Image): string {
  let key = keys.get(image)
  if (key === undefined) {
    const { leader, leaderEpoch, partitionEpoch, isr } = partitionOf(image)
    const codes = [image.sequence, leader + 1, leaderEpoch, partitionEpoch, isr.reduce((mask, id) => mask | (1 << id), 0)]
    for (const { brokerEpoch, isFenced, diskId } of image.brokers.values()) {
      codes.push(brokerEpoch * 2 + (isFenced ? 1 : 0), Number(diskId.slice('disk '.length)))
    }
    key = String.fromCharCode(...codes)
    keys.set(image, key)
  }
  return key
}
