// What consumers of the classic protocol embed in JoinGroup and SyncGroup: topics by name, where groups of the new
// protocol have ids.

import { codec, encode } from '../../protocol/codec.ts'
import { consumerProtocolAssignment } from '../../protocol/messages/consumer-protocol-assignment.ts'
import { consumerProtocolSubscription } from '../../protocol/messages/consumer-protocol-subscription.ts'
import { MalformedMessage, Reader } from '../../protocol/reader.ts'
import type { ReadOf } from '../../protocol/schema.ts'
import { type Assignment, assignmentOf, emptyAssignment } from '../consumer/assignment.ts'
import type { Topics } from '../topics.ts'

export type Subscription = ReadOf<typeof consumerProtocolSubscription.shape>

/** Undefined: it cannot be read, so its sender is no consumer that we could understand. */
export function readSubscription(metadata: Buffer): Subscription | undefined {
  return understood(() => {
    const version = Math.min(metadata.readInt16BE(0), consumerProtocolSubscription.versions.end)
    return codec(consumerProtocolSubscription, version).read(new Reader(metadata, 2))
  })
}

/** No bytes are no partitions: members that join a generation late have none. */
export function readAssignment(bytes: Buffer, topics: Topics): Assignment | undefined {
  if (bytes.length === 0) return emptyAssignment
  return understood(() => {
    const version = Math.min(bytes.readInt16BE(0), consumerProtocolAssignment.versions.end)
    return byId(codec(consumerProtocolAssignment, version).read(new Reader(bytes, 2)).assignedPartitions, topics)
  })
}

interface Addressee {
  /** Of the member that is to read it. */
  readonly metadata: Buffer
  readonly topics: Topics
}

/** In the version that the member subscribed in. */
export function writeAssignment(assignment: Assignment, { metadata, topics }: Addressee): Buffer {
  const version = Math.min(metadata.readInt16BE(0), consumerProtocolAssignment.versions.end)
  const assignedPartitions = [...assignment].flatMap(([topicId, partitions]) => {
    const topic = topics.byId(topicId)?.name
    return topic === undefined ? [] : [{ topic, partitions }]
  })
  const head = Buffer.alloc(2)
  head.writeInt16BE(version, 0)
  return Buffer.concat([head, encode(consumerProtocolAssignment, version, { assignedPartitions, userData: null })])
}

export function byId(named: readonly { readonly topic: string; readonly partitions: readonly number[] }[], topics: Topics): Assignment {
  return assignmentOf(named.flatMap(({ topic, partitions }) => {
    const topicId = topics.byName(topic)?.id
    return topicId === undefined ? [] : [{ topicId, partitions }]
  }))
}

function understood<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedMessage || error instanceof RangeError) return undefined
    throw error
  }
}
