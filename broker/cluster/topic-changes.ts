// What CreateTopics, CreatePartitions and DeleteTopics append to the metadata log: pure decisions on an image.

import { ErrorCode } from '../protocol/error-code.ts'
import type { Uuid } from '../runtime/random.ts'
import { aliveBrokers, type Image, targetReplicas, topicNamed, type TopicImage } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { newPartition, ReplicaPlacer } from './placement.ts'
import { conflictIn, problemWith, TopicConfig } from './topic-config.ts'

export interface Refusal {
  readonly code: number
  readonly message: string
}

export function refusal(code: number, message: string): Refusal {
  return { code, message }
}

export interface NewTopic {
  readonly id: Uuid
  readonly name: string
  /** -1: the broker's default. */
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  /** Broker ids by partition; empty: place them. */
  readonly assignments: ReadonlyMap<number, readonly number[]>
  readonly configs: ReadonlyMap<string, string>
}

export interface TopicDefaults {
  readonly partitions: number
  readonly replicationFactor: number
  /** What one topic may have at most. */
  readonly partitionsMax: number
  /** Knows what else is placed by the same change. */
  readonly placer?: ReplicaPlacer
}

const legalName = /^[a-zA-Z0-9._-]{1,249}$/

/** Why a topic cannot be called so; undefined where it can. */
export function problemWithName(name: string): string | undefined {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '.' or '..' is not allowed`
  if (name.length > 249) return `Topic name is invalid: the length of '${name.slice(0, 40)}...' is longer than the max allowed length 249`
  if (!legalName.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return undefined
}

export function planTopic(image: Image, topic: NewTopic, defaults: TopicDefaults): readonly MetadataRecord[] | Refusal {
  const refused = refuseName(image, topic.name) ?? refuseConfigs(topic.configs)
  if (refused !== undefined) return refused
  const replicas = planReplicas(image, topic, defaults)
  if ('code' in replicas) return replicas
  const records: MetadataRecord[] = [{ type: 'topicCreated', topicId: topic.id, name: topic.name }]
  if (topic.configs.size > 0) {
    records.push({ type: 'configChanged', resource: { kind: 'topic', name: topic.name }, changes: [...topic.configs] })
  }
  replicas.forEach((ids, partition) => records.push(newPartition(topic.id, partition, ids)))
  return records
}

function refuseName(image: Image, name: string): Refusal | undefined {
  const problem = problemWithName(name)
  if (problem !== undefined) return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
  if (image.topicIds.has(name)) return refusal(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
  // Metric names turn dots into underscores, so two such topics could not be told apart there.
  if (!/[._]/.test(name)) return undefined
  const folded = name.replaceAll('.', '_')
  for (const other of image.topicIds.keys()) {
    if (other.length === name.length && other.replaceAll('.', '_') === folded) {
      return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, `Topic '${name}' collides with existing topic: ${other}`)
    }
  }
  return undefined
}

function refuseConfigs(configs: ReadonlyMap<string, string>): Refusal | undefined {
  for (const [name, value] of configs) {
    const problem = problemWith(name, value)
    if (problem !== undefined) return refusal(ErrorCode.INVALID_CONFIG, problem)
  }
  const conflict = conflictIn(new TopicConfig(configs, new Map()))
  return conflict === undefined ? undefined : refusal(ErrorCode.INVALID_CONFIG, conflict)
}

function planReplicas(image: Image, topic: NewTopic, defaults: TopicDefaults): readonly (readonly number[])[] | Refusal {
  const brokers = aliveBrokers(image).map(({ brokerId }) => brokerId)
  if (topic.assignments.size > 0) return planAssigned(brokers, topic, defaults)
  const partitions = topic.partitions === -1 ? defaults.partitions : topic.partitions
  const replicationFactor = topic.replicationFactor === -1 ? defaults.replicationFactor : topic.replicationFactor
  const refused = refusePartitions(partitions, defaults)
  if (refused !== undefined) return refused
  if (replicationFactor < 1) {
    return refusal(ErrorCode.INVALID_REPLICATION_FACTOR, 'Replication factor must be larger than 0, or -1 to use the default value.')
  }
  const unplaced = refuseFactor(brokers, replicationFactor)
  if (unplaced !== undefined) return unplaced
  return (defaults.placer ?? new ReplicaPlacer(image)).place({ partitions, replicationFactor })
}

function refuseFactor(brokers: readonly number[], replicationFactor: number): Refusal | undefined {
  if (replicationFactor <= brokers.length) return undefined
  return refusal(ErrorCode.INVALID_REPLICATION_FACTOR,
    `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ${replicationFactor} ` +
    `cannot be reached because only ${brokers.length} broker(s) are registered.`)
}

function refusePartitions(partitions: number, defaults: TopicDefaults): Refusal | undefined {
  if (partitions < 1) {
    return refusal(ErrorCode.INVALID_PARTITIONS, 'Number of partitions was set to an invalid non-positive value.')
  }
  if (partitions > defaults.partitionsMax) {
    return refusal(ErrorCode.INVALID_PARTITIONS, `A topic may have at most ${defaults.partitionsMax} partitions.`)
  }
  return undefined
}

function planAssigned(brokers: readonly number[], topic: NewTopic, defaults: TopicDefaults): readonly (readonly number[])[] | Refusal {
  if (topic.partitions !== -1 || topic.replicationFactor !== -1) {
    return refusal(ErrorCode.INVALID_REQUEST,
      'A manual partition assignment was specified, but numPartitions or replicationFactor was not set to -1.')
  }
  const count = topic.assignments.size
  const refused = refusePartitions(count, defaults)
  if (refused !== undefined) return refused
  const replicas: (readonly number[])[] = []
  for (let partition = 0; partition < count; partition++) {
    const ids = topic.assignments.get(partition)
    if (ids === undefined) {
      return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, 'partitions should be a consecutive 0-based integer sequence')
    }
    const problem = problemWithAssignment(brokers, ids, replicas[0]?.length)
    if (problem !== undefined) return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
    replicas.push(ids)
  }
  return replicas
}

/** `length`: how many there have to be, where that is given. */
export function problemWithAssignment(brokers: readonly number[], ids: readonly number[], length?: number): string | undefined {
  if (ids.length === 0) return 'The manual partition assignment includes an empty replica list.'
  if (new Set(ids).size !== ids.length) return `The manual partition assignment includes duplicate brokers: ${ids.join(', ')}.`
  const unknown = ids.find((id) => !brokers.includes(id))
  if (unknown !== undefined) return `The manual partition assignment includes broker ${unknown}, but no such broker is registered.`
  if (length !== undefined && ids.length !== length) {
    return `The manual partition assignment includes a partition with ${ids.length} replica(s), ` +
      `but this is not consistent with previous partitions, which have ${length} replica(s).`
  }
  return undefined
}

/** More partitions for a topic, up to a new total. `assignments`: replicas of the added ones, or null to place them. */
export function planMorePartitions(
  image: Image,
  wanted: { readonly name: string; readonly count: number; readonly assignments: readonly (readonly number[])[] | null },
  defaults: TopicDefaults,
): readonly MetadataRecord[] | Refusal {
  const topic = topicNamed(image, wanted.name)
  if (topic === undefined) return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find topic '${wanted.name}'.`)
  const now = topic.partitions.length
  if (wanted.count === now) return refusal(ErrorCode.INVALID_PARTITIONS, `Topic already has ${now} partition(s).`)
  if (wanted.count < now) {
    return refusal(ErrorCode.INVALID_PARTITIONS,
      `The topic ${wanted.name} currently has ${now} partition(s); ${wanted.count} would not be an increase.`)
  }
  const refused = refusePartitions(wanted.count, defaults)
  if (refused !== undefined) return refused
  const added = addedReplicas(image, topic, wanted)
  if ('code' in added) return added
  return added.map((replicas, index) => newPartition(topic.id, now + index, replicas))
}

function addedReplicas(
  image: Image,
  topic: TopicImage,
  wanted: { readonly count: number; readonly assignments: readonly (readonly number[])[] | null },
): readonly (readonly number[])[] | Refusal {
  const brokers = aliveBrokers(image).map(({ brokerId }) => brokerId)
  const count = wanted.count - topic.partitions.length
  const [first] = topic.partitions
  const replicationFactor = first === undefined ? 1 : targetReplicas(first).length
  if (wanted.assignments === null) {
    return refuseFactor(brokers, replicationFactor) ?? new ReplicaPlacer(image).place({ partitions: count, replicationFactor, topic })
  }
  if (wanted.assignments.length !== count) {
    return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${count} additional partition(s), but only ${wanted.assignments.length} assignment(s) were specified.`)
  }
  for (const ids of wanted.assignments) {
    const problem = problemWithAssignment(brokers, ids, replicationFactor)
    if (problem !== undefined) return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
  }
  return wanted.assignments
}
