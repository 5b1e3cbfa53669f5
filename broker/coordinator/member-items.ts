// Members as they are stored, whatever their protocol.

import type { Json } from '../table/table.ts'
import type { ClassicGroup } from './classic/classic-group.ts'
import { classicGroupOf, classicItem, type StoredClassicMember } from './classic/classic-items.ts'
import type { ConsumerGroup, ConsumerMember } from './consumer/consumer-group.ts'
import { consumerItem, consumerRecords, type StoredConsumerMember } from './consumer/consumer-items.ts'
import type { GroupRecord } from './group.ts'
import type { Head } from './group-items.ts'

type MemberEntries = Generator<[memberId: string, member: object, target: object | undefined]>

/** The members as they are stored, each with what it was made of: the same object again needs no look at all. */
export function* memberEntries(membership: ClassicGroup | ConsumerGroup | undefined): MemberEntries {
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
