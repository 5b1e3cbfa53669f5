// Everything that the group coordinator stores, and how. Names are stored: they must not change.
//
//   table partition      sort key                      holds
//   groups#<shard>       =<group id>                   the head: one item per group, so that a shard is listed by a query
//   group#<group id>     m#<revision>#<page>           a page of members
//   group#<group id>     o#<topic id>#<bucket>         the offsets of 16 partitions of a topic
//   group#<group id>     t#<producer id>#<topic id>#<bucket>   the same of a transaction that has not ended
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
//           of a transaction: { producerEpoch, coordinatorEpoch, offsets: bucket }
//
// How a transaction ended is written together with what it changes; where that is too much for one commit, first what became
// of its offsets, and last that they wait no more: whoever finds the rest is told the same end again.

import type { Uuid } from '../runtime/random.ts'
import type { Key } from '../table/table.ts'
import type { ClassicGroup } from './classic/classic-group.ts'
import { type ConsumerGroup, stateOf } from './consumer/consumer-group.ts'
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
export const pendingPrefix = 't#'

export function pageSort(revision: number, page: number): string {
  return `${pagePrefix}${revision}#${page}`
}

export function bucketSort(topicId: Uuid, bucket: number): string {
  return `${bucketPrefix}${topicId}#${bucket}`
}

export function pendingSort(producerId: number, topicId: Uuid, bucket: number): string {
  return `${pendingPrefix}${producerId}#${topicId}#${bucket}`
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
