// A group as a value. Nobody changes one: commands are decided into records, and `fold` makes the next group of them.
// Loading folds the same records, made from stored items.

import type { Uuid } from '../runtime/random.ts'
import type { ClassicGroup } from './classic/classic-group.ts'
import { type ConsumerGroup, foldConsumer } from './consumer/consumer-group.ts'
import type { ConsumerRecord } from './consumer/consumer-record.ts'
import { type CommittedOffset, foldOffsets, noOffsets, type Offsets } from './offsets/offsets.ts'
import { foldPending, nonePending, type Pending, type PendingRecord, type TransactionEnded } from './offsets/pending.ts'

export interface Group {
  readonly groupId: string
  /** Undefined: there is no such group. */
  readonly membership: ClassicGroup | ConsumerGroup | undefined
  readonly offsets: Offsets
  /** Offsets that become the group's if their transactions are committed. */
  readonly pending: Pending
}

export type GroupRecord = ClassicRecord | ConsumerRecord | OffsetRecord | PendingRecord | TransactionEnded | GroupDeleted

/**
 * The membership of a classic group becomes this. Only some of its changes are durable: joins, syncs and their
 * deadlines stay in memory, and a group that is loaded resumes the last generation that was assigned.
 */
export interface ClassicRecord {
  readonly type: 'classic'
  readonly group: ClassicGroup
  readonly isDurable: boolean
}

export interface OffsetRecord {
  readonly type: 'offset'
  readonly topicId: Uuid
  readonly partition: number
  /** Undefined: forgotten. */
  readonly offset: CommittedOffset | undefined
}

export interface GroupDeleted {
  readonly type: 'groupDeleted'
}

export function emptyGroup(groupId: string): Group {
  return { groupId, membership: undefined, offsets: noOffsets, pending: nonePending }
}

export function isDurable(record: GroupRecord): boolean {
  return record.type !== 'classic' || record.isDurable
}

/** Whether it changes offsets alone, and not who is in the group. */
export function isOfOffsets(record: GroupRecord): record is OffsetRecord | PendingRecord | TransactionEnded {
  return record.type === 'offset' || record.type === 'pendingOffset' || record.type === 'transactionEnded'
}

export function fold(group: Group, records: readonly GroupRecord[]): Group {
  if (records.length === 0) return group
  const offsets = records.filter((record) => record.type === 'offset')
  const pending = records.filter((record) => record.type === 'pendingOffset' || record.type === 'transactionEnded')
  let { membership } = group
  let kept = group.offsets
  const consumer: ConsumerRecord[] = []
  const foldMembers = () => {
    if (consumer.length > 0) membership = foldConsumer(membership, consumer.splice(0))
  }
  for (const record of records) {
    if (isOfOffsets(record)) continue
    if (record.type === 'classic' || record.type === 'groupDeleted') {
      foldMembers()
      membership = record.type === 'classic' ? record.group : undefined
      if (record.type === 'groupDeleted') kept = noOffsets
    } else consumer.push(record)
  }
  foldMembers()
  return { groupId: group.groupId, membership, offsets: foldOffsets(kept, offsets), pending: foldPending(group.pending, pending) }
}
