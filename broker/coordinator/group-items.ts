// Everything that the group coordinator stores, and how. Names are stored: they must not change.
//
//   table partition      sort key                      holds
//   groups#<shard>       =<group id>                   the head: one item per group, so that a shard is listed by a query
//   group#<group id>     m#<revision>#<page>           a page of members
//   group#<group id>     o#<topic id>#<bucket>         the offsets of 16 partitions of a topic
//
// The head is the group. Its version is the fence: a coordinator that loads a group writes the head again, and every
// later write of whatever item has the head's version as a condition. A deposed coordinator therefore writes nothing.
//
// Members lie in pages, and a page is never changed: what changed is written as a page of a new revision, and the head,
// which lists the pages that count, is written last. So a change of a thousand members is all or nothing, even where it
// takes several commits. Pages that no head lists are left-overs, and deleted when the group is loaded.
//
//   head    { kind: 'classic', owner, changedAt, revision, pages: ['m#4#0', ...], state,
//             generation, protocolType, protocol, leader }
//           { kind: 'consumer', owner, changedAt, revision, pages, state, epoch, assignmentEpoch, topicsHash }
//           { kind: 'deleted', owner, changedAt }      kept for a day: versions must not start over under a zombie's eyes
//   page    [member, ...]                              buffers in base64; what is undefined is left out
//   bucket  [[partition, offset, leaderEpoch, metadata, committedAt, expiresAt?], ...]

import type { ClassicGroup, ClassicMember } from './classic/classic-group.ts'
import { metadataOf } from './classic/classic-group.ts'
import { subscribedTopics } from './classic/subscribed-topics.ts'
import { assignmentOf, type Assignment, emptyAssignment } from './consumer/assignment.ts'
import { type ConsumerGroup, type ConsumerMember, stateOf } from './consumer/consumer-group.ts'
import type { ConsumerRecord } from './consumer/consumer-record.ts'
import type { GroupRecord } from './group.ts'
import type { OffsetBucket } from './offsets/offsets.ts'
import type { Uuid } from '../runtime/random.ts'
import type { Json, Key } from '../table/table.ts'
import { shardOf } from './directory.ts'

export type Head = (ClassicHead | ConsumerHead | DeletedHead) & {
  /** The broker that wrote it last. For people: the fence is the version. */
  readonly owner: number
  /** When the group became what it is; wall clock, milliseconds. */
  readonly changedAt: number
}

interface Paged {
  /** Of the newest pages. */
  readonly revision: number
  readonly pages: readonly string[]
  /** As ListGroups shows it. */
  readonly state: string
}

export interface ClassicHead extends Paged {
  readonly kind: 'classic'
  readonly generation: number
  readonly protocolType?: string | undefined
  readonly protocol?: string | undefined
  readonly leader?: string | undefined
}

export interface ConsumerHead extends Paged {
  readonly kind: 'consumer'
  readonly epoch: number
  readonly assignmentEpoch: number
  readonly topicsHash: string
}

export interface DeletedHead {
  readonly kind: 'deleted'
}

/** Bytes of UTF-8; the table's sort keys have 1,024. Kafka has no limit but that of a string. */
export const groupIdBytesMax = 1_000

export function canBeStored(groupId: string): boolean {
  return groupId.isWellFormed() && Buffer.byteLength(groupId) <= groupIdBytesMax
}

export function shardPartition(shard: number): string {
  return `groups#${shard}`
}

/** The equals sign is there because the empty group id is one (for clients before v5 of the consumer). */
export function headKey(groupId: string): Key {
  return { partition: shardPartition(shardOf(groupId)), sort: `=${groupId}` }
}

export function groupIdOf(head: Key): string {
  return head.sort.slice(1)
}

export function detailKey(groupId: string, sort: string): Key {
  return { partition: `group#${groupId}`, sort }
}

export const pagePrefix = 'm#'
export const bucketPrefix = 'o#'

export function pageSort(revision: number, page: number): string {
  return `${pagePrefix}${revision}#${page}`
}

export function bucketSort(topicId: Uuid, bucket: number): string {
  return `${bucketPrefix}${topicId}#${bucket}`
}

export type HeadFacts =
  | Omit<ClassicHead, 'revision' | 'pages'> & { readonly changedAt: number }
  | Omit<ConsumerHead, 'revision' | 'pages'> & { readonly changedAt: number }

/** A classic group is stored as of its last generation: whoever is joining now is in memory alone. */
export function headFacts(membership: ClassicGroup | ConsumerGroup, now: number): HeadFacts {
  if (membership.kind === 'consumer') {
    const { epoch, assignmentEpoch, topicsHash } = membership
    return { kind: 'consumer', changedAt: now, state: stateOf(membership), epoch, assignmentEpoch, topicsHash }
  }
  const { generation, protocolType, protocol, leader, changedAt } = membership
  return {
    kind: 'classic', changedAt, state: membership.members.size === 0 ? 'Empty' : 'Stable', generation, protocolType, protocol, leader,
  }
}

/** The members as they are stored, each with what it was made of: the same object again needs no look at all. */
export function* memberEntries(membership: ClassicGroup | ConsumerGroup | undefined): Generator<[string, object, object | undefined]> {
  if (membership === undefined) return
  if (membership.kind === 'classic') {
    for (const [memberId, member] of membership.members) yield [memberId, member, undefined]
  } else {
    for (const [memberId, member] of membership.members) yield [memberId, member, membership.targets.get(memberId)]
  }
}

export function memberItem(membership: ClassicGroup | ConsumerGroup, memberId: string): Json {
  return membership.kind === 'classic' ? classicItem(membership, membership.members.get(memberId)!) : consumerItem(membership, memberId)
}

function classicItem({ protocol }: ClassicGroup, member: ClassicMember): Json {
  const { memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, assignment } = member
  return {
    memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs,
    metadata: metadataOf(member, protocol).toString('base64'), assignment: assignment.toString('base64'),
  }
}

interface StoredClassicMember {
  readonly memberId: string
  readonly instanceId?: string
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly metadata: string
  readonly assignment: string
}

type StoredAssignment = [Uuid, number[]][]

type Restated = 'assigned' | 'state' | 'instanceId' | 'rackId' | 'topicRegex' | 'assignor' | 'classic'

interface StoredConsumerMember extends Omit<ConsumerMember, Restated> {
  readonly instanceId?: string
  readonly rackId?: string
  readonly topicRegex?: string
  readonly assignor?: string
  readonly state: ConsumerMember['state']['kind']
  readonly assigned: StoredAssignment
  readonly revoking?: StoredAssignment
  readonly target?: StoredAssignment
  readonly classic?: { readonly sessionTimeoutMs: number; readonly protocols: readonly (readonly [name: string, metadata: string])[] }
}

function consumerItem(group: ConsumerGroup, memberId: string): Json {
  const { state, assigned, classic, ...member } = group.members.get(memberId)!
  const target = group.targets.get(memberId)
  return {
    ...member,
    state: state.kind,
    assigned: storedAssignment(assigned),
    revoking: state.kind === 'unrevoked' ? storedAssignment(state.revoking) : undefined,
    target: target === undefined ? undefined : storedAssignment(target),
    classic: classic && {
      sessionTimeoutMs: classic.sessionTimeoutMs,
      protocols: classic.protocols.map(({ name, metadata }) => [name, metadata.toString('base64')]),
    },
  }
}

function storedAssignment(assignment: Assignment): Json {
  return [...assignment].map(([topicId, partitions]) => [topicId, partitions])
}

function readAssignment(stored: StoredAssignment | undefined): Assignment {
  if (stored === undefined || stored.length === 0) return emptyAssignment
  return assignmentOf(stored.map(([topicId, partitions]) => ({ topicId, partitions })))
}

/** The records that make the stored group, for the fold that also serves while it lives. */
export function recordsOfGroup(
  head: Head, members: readonly Json[], subscribedBy: (members: readonly ConsumerMember[]) => ReadonlySet<string>,
): GroupRecord[] {
  if (head.kind === 'deleted') return []
  if (head.kind === 'classic') {
    return [{ type: 'classic', isDurable: true, group: classicGroupOf(head, members as unknown as StoredClassicMember[]) }]
  }
  return consumerRecords(head, members as unknown as StoredConsumerMember[], subscribedBy)
}

function classicGroupOf(head: ClassicHead & { readonly changedAt: number }, stored: readonly StoredClassicMember[]): ClassicGroup {
  const { generation, protocolType, protocol, leader, changedAt } = head
  const members = new Map(stored.map(({ metadata, assignment, instanceId, ...rest }): [string, ClassicMember] => [rest.memberId, {
    ...rest,
    instanceId,
    protocols: protocol === undefined ? [] : [{ name: protocol, metadata: Buffer.from(metadata, 'base64') }],
    assignment: Buffer.from(assignment, 'base64'),
    waiting: undefined,
    isNew: false,
  }]))
  const statics = new Map<string, string>()
  for (const { memberId, instanceId } of members.values()) if (instanceId !== undefined) statics.set(instanceId, memberId)
  return {
    kind: 'classic',
    phase: members.size === 0 ? { state: 'Empty' } : { state: 'Stable', syncs: undefined },
    generation, protocolType, protocol, leader, members, statics,
    pendingJoins: new Set(),
    topics: subscribedTopics({ protocolType, protocol, members }),
    changedAt,
  }
}

function consumerRecords(
  { epoch, assignmentEpoch, topicsHash }: ConsumerHead, stored: readonly StoredConsumerMember[],
  subscribedBy: (members: readonly ConsumerMember[]) => ReadonlySet<string>,
): ConsumerRecord[] {
  const members = stored.map(({ target: _, revoking, assigned, state, classic, ...rest }): ConsumerMember => ({
    ...rest,
    instanceId: rest.instanceId, rackId: rest.rackId, topicRegex: rest.topicRegex, assignor: rest.assignor,
    assigned: readAssignment(assigned),
    state: state === 'unrevoked' ? { kind: state, revoking: readAssignment(revoking) } : { kind: state },
    classic: classic && {
      sessionTimeoutMs: classic.sessionTimeoutMs,
      protocols: classic.protocols.map(([name, metadata]) => ({ name, metadata: Buffer.from(metadata, 'base64') })),
    },
  }))
  const targets = new Map<string, Assignment>()
  for (const { memberId, target } of stored) if (target !== undefined) targets.set(memberId, readAssignment(target))
  return [
    { type: 'consumerEpoch', epoch, topicsHash, subscribed: subscribedBy(members) },
    ...members.map((member): ConsumerRecord => ({ type: 'consumerMember', member })),
    { type: 'consumerTarget', assignmentEpoch, targets },
  ]
}

export function bucketItem(bucket: OffsetBucket): Json {
  return [...bucket].map(([partition, { offset, leaderEpoch, metadata, committedAt, expiresAt }]) =>
    expiresAt === undefined
      ? [partition, offset, leaderEpoch, metadata, committedAt]
      : [partition, offset, leaderEpoch, metadata, committedAt, expiresAt])
}

type StoredOffset = [partition: number, offset: number, leaderEpoch: number, metadata: string, committedAt: number, expiresAt?: number]

export function recordsOfBucket(sort: string, value: Json): GroupRecord[] {
  const topicId = sort.slice(bucketPrefix.length, sort.lastIndexOf('#'))
  return (value as unknown as StoredOffset[]).map(([partition, offset, leaderEpoch, metadata, committedAt, expiresAt]) =>
    ({ type: 'offset', topicId, partition, offset: { offset, leaderEpoch, metadata, committedAt, expiresAt } }))
}

