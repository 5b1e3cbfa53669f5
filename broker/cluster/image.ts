import type { Uuid } from '../runtime/random.ts'
import type {
  BrokerFenced, BrokerRegistered, BrokerRemoved, BrokerUnfenced, ConfigResource, MetadataRecord, PartitionChanged,
} from './metadata-record.ts'

/**
 * What the cluster is, as of one position in the metadata log. A pure fold: every process that reads the same log
 * holds the same image. Nobody changes one; `fold` makes the next.
 */
export interface Image {
  /** Of the last item that is folded in; 0: none. */
  readonly sequence: number
  readonly brokers: ReadonlyMap<number, BrokerImage>
  readonly topics: ReadonlyMap<Uuid, TopicImage>
  readonly topicIds: ReadonlyMap<string, Uuid>
  /** Deleted, but not yet marked for deletion in the object store: how many partitions each had. */
  readonly unpurged: ReadonlyMap<Uuid, number>
  /** By `configKey`; only what was set, never defaults. */
  readonly configs: ReadonlyMap<string, ReadonlyMap<string, string>>
}

export interface BrokerImage extends Omit<BrokerRegistered, 'type'> {
  /** Of this incarnation: the sequence of the item that registered it, so a later start has a higher one (KIP-903). */
  readonly brokerEpoch: number
  readonly isFenced: boolean
}

export interface TopicImage {
  readonly id: Uuid
  readonly name: string
  /** By partition number, without gaps. */
  readonly partitions: readonly PartitionImage[]
}

export type PartitionImage = Omit<PartitionChanged, 'type' | 'topicId'>

export const emptyImage: Image = {
  sequence: 0,
  brokers: new Map(),
  topics: new Map(),
  topicIds: new Map(),
  unpurged: new Map(),
  configs: new Map(),
}

export function configKey(resource: ConfigResource): string {
  return `${resource.kind}:${resource.name}`
}

const noConfigs: ReadonlyMap<string, string> = new Map()

/** What was set for a resource; empty where nothing was. */
export function configsOf(image: Image, resource: ConfigResource): ReadonlyMap<string, string> {
  return image.configs.get(configKey(resource)) ?? noConfigs
}

export function topicNamed(image: Image, name: string): TopicImage | undefined {
  const id = image.topicIds.get(name)
  return id === undefined ? undefined : image.topics.get(id)
}

/** Whether a broker is known and serves. */
export function isAlive(image: Image, brokerId: number): boolean {
  return image.brokers.get(brokerId)?.isFenced === false
}

/** The brokers that serve, in the order of their ids. */
export function aliveBrokers(image: Image): readonly BrokerImage[] {
  return [...image.brokers.values()].filter(({ isFenced }) => !isFenced).sort((one, other) => one.brokerId - other.brokerId)
}

/** Set for one broker: everything that it has is to go to others. */
export const drainSetting = 'broker.drain'

/** Whether a broker is being emptied. */
export function isDraining(image: Image, brokerId: number): boolean {
  return configsOf(image, { kind: 'broker', name: String(brokerId) }).get(drainSetting) === 'true'
}

/** Of the brokers that serve those that may get replicas. */
export function takingBrokers(image: Image): readonly BrokerImage[] {
  return aliveBrokers(image).filter(({ brokerId }) => !isDraining(image, brokerId))
}

/** The replicas that a partition had before its reassignment began, or that it has where there is none. */
export function settledReplicas({ replicas, adding }: Pick<PartitionImage, 'replicas' | 'adding'>): readonly number[] {
  return adding === undefined ? replicas : replicas.filter((id) => !adding.includes(id))
}

/** The replicas that a partition is to have when its reassignment is over, or that it has where there is none. */
export function targetReplicas({ replicas, removing }: Pick<PartitionImage, 'replicas' | 'removing'>): readonly number[] {
  return removing === undefined ? replicas : replicas.filter((id) => !removing.includes(id))
}

/**
 * With fewer in sync nothing is committed: what the topic asks for, where it has so many replicas at all. Those that are
 * being added do not count, so that a partition does not stop because it is to get more of them.
 */
export function inSyncFloor(partition: Pick<PartitionImage, 'replicas' | 'adding'>, minIsr: number): number {
  return Math.min(minIsr, settledReplicas(partition).length)
}

/** Throws where a record does not follow from the image: the log is damaged, and going on would spread it. */
export function fold(image: Image, sequence: number, records: readonly MetadataRecord[]): Image {
  const next = {
    sequence,
    brokers: new Map(image.brokers),
    topics: new Map(image.topics),
    topicIds: new Map(image.topicIds),
    unpurged: new Map(image.unpurged),
    configs: new Map(image.configs),
  }
  // Arrays of partitions that this fold made, and may therefore go on to change.
  const fresh = new Map<Uuid, PartitionImage[]>()
  for (const record of records) foldRecord(next, record, fresh)
  return next
}

interface Draft {
  readonly sequence: number
  readonly brokers: Map<number, BrokerImage>
  readonly topics: Map<Uuid, TopicImage>
  readonly topicIds: Map<string, Uuid>
  readonly unpurged: Map<Uuid, number>
  readonly configs: Map<string, ReadonlyMap<string, string>>
}

function foldRecord(draft: Draft, record: MetadataRecord, fresh: Map<Uuid, PartitionImage[]>): void {
  switch (record.type) {
    case 'brokerRegistered':
    case 'brokerFenced':
    case 'brokerUnfenced':
    case 'brokerRemoved':
      return foldBroker(draft, record)
    case 'topicCreated': {
      if (draft.topicIds.has(record.name)) throw new Error(`metadata log: topic ${record.name} is created twice`)
      draft.topics.set(record.topicId, { id: record.topicId, name: record.name, partitions: [] })
      draft.topicIds.set(record.name, record.topicId)
      return
    }
    case 'topicDeleted': {
      const topic = draft.topics.get(record.topicId)
      if (topic === undefined) throw new Error(`metadata log: topic ${record.topicId} is deleted but unknown`)
      draft.topics.delete(record.topicId)
      draft.topicIds.delete(topic.name)
      draft.unpurged.set(topic.id, topic.partitions.length)
      draft.configs.delete(configKey({ kind: 'topic', name: topic.name }))
      return
    }
    case 'topicPurged':
      draft.unpurged.delete(record.topicId)
      return
    case 'partitionChanged':
      foldPartition(draft, record, fresh)
      return
    case 'configChanged': {
      const key = configKey(record.resource)
      const values = new Map(draft.configs.get(key))
      for (const [name, value] of record.changes) {
        if (value === null) values.delete(name)
        else values.set(name, value)
      }
      if (values.size > 0) draft.configs.set(key, values)
      else draft.configs.delete(key)
    }
  }
}

function foldBroker({ brokers, configs, sequence }: Draft, record: BrokerRegistered | BrokerFenced | BrokerUnfenced | BrokerRemoved): void {
  const { brokerId } = record
  if (record.type === 'brokerRegistered') {
    const { type: _, ...broker } = record
    brokers.set(brokerId, { ...broker, brokerEpoch: sequence, isFenced: false })
    return
  }
  const broker = brokers.get(brokerId)
  if (broker === undefined) throw new Error(`metadata log: ${record.type} of the unknown broker ${brokerId}`)
  if (record.type === 'brokerRemoved') {
    brokers.delete(brokerId)
    // A later one of that number is another broker, and is not to be emptied because this one was.
    configs.delete(configKey({ kind: 'broker', name: String(brokerId) }))
    return
  }
  if (broker.brokerEpoch !== record.brokerEpoch) {
    throw new Error(`metadata log: ${record.type} of broker ${brokerId} in epoch ${record.brokerEpoch}, not ${broker.brokerEpoch}`)
  }
  brokers.set(brokerId, { ...broker, isFenced: record.type === 'brokerFenced' })
}

function foldPartition(draft: Draft, record: PartitionChanged, fresh: Map<Uuid, PartitionImage[]>): void {
  const { type: _, topicId, ...partition } = record
  const topic = draft.topics.get(topicId)
  if (topic === undefined) throw new Error(`metadata log: a partition of the unknown topic ${topicId}`)
  let partitions = fresh.get(topicId)
  if (partitions === undefined) {
    partitions = [...topic.partitions]
    fresh.set(topicId, partitions)
    draft.topics.set(topicId, { ...topic, partitions })
  }
  const known = partitions[partition.partition]
  const expected = known === undefined ? 0 : known.partitionEpoch + 1
  if (partition.partition > partitions.length || partition.partitionEpoch !== expected) {
    throw new Error(`metadata log: ${topic.name}-${partition.partition} has epoch ${partition.partitionEpoch}, not ${expected}`)
  }
  partitions[partition.partition] = partition
}
