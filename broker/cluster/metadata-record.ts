import type { Uuid } from '../runtime/random.ts'

// The records of the metadata log. They are kept for ever in snapshots and in every broker's image, so a field is
// never renamed or given another meaning; a new one is optional.

export type MetadataRecord =
  | BrokerRegistered
  | BrokerFenced
  | BrokerUnfenced
  | BrokerRemoved
  | TopicCreated
  | TopicDeleted
  | TopicPurged
  | PartitionChanged
  | ConfigChanged

/** A broker started: a new incarnation, which owns nothing that an older one did (KIP-903). */
export interface BrokerRegistered {
  readonly type: 'brokerRegistered'
  readonly brokerId: number
  readonly incarnation: Uuid
  /** Of the data directory. Another one than before: what this broker had replicated is gone. */
  readonly diskId: Uuid
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** A broker does not serve: its session has ended, or nobody can reach it. It leads nothing until it is unfenced. */
export interface BrokerFenced {
  readonly type: 'brokerFenced'
  readonly brokerId: number
  /** Of the incarnation that is meant: a later one is not. */
  readonly brokerEpoch: number
}

/** The same incarnation serves again: it was slow or out of reach, and has not stopped. */
export interface BrokerUnfenced {
  readonly type: 'brokerUnfenced'
  readonly brokerId: number
  readonly brokerEpoch: number
}

/** An operator took a broker out for good; it has no replicas any more. */
export interface BrokerRemoved {
  readonly type: 'brokerRemoved'
  readonly brokerId: number
}

export interface TopicCreated {
  readonly type: 'topicCreated'
  readonly topicId: Uuid
  readonly name: string
}

export interface TopicDeleted {
  readonly type: 'topicDeleted'
  readonly topicId: Uuid
}

/** What a deleted topic had in the object store is marked for deletion there. */
export interface TopicPurged {
  readonly type: 'topicPurged'
  readonly topicId: Uuid
}

/** The whole state of one partition; `partitionEpoch` grows by one with each. */
export interface PartitionChanged {
  readonly type: 'partitionChanged'
  readonly topicId: Uuid
  readonly partition: number
  /** -1: no leader. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** Eligible leader replicas (KIP-966). */
  readonly elr: readonly number[]
  /** Of the replicas, those that a reassignment adds and takes away, while it goes on (KIP-455); left out: none. */
  readonly adding?: readonly number[]
  readonly removing?: readonly number[]
}

/** Kafka's names and values. Null takes a setting back to its default. */
export interface ConfigChanged {
  readonly type: 'configChanged'
  readonly resource: ConfigResource
  readonly changes: readonly (readonly [name: string, value: string | null])[]
}

export interface ConfigResource {
  readonly kind: 'topic' | 'broker' | 'group'
  /** The topic's name, the broker's id or '' for all brokers, the group's id. */
  readonly name: string
}
