// Groups in the table: how they are found, claimed, loaded, changed and forgotten. The layout is in group-items.ts.

import { strict as assert } from 'node:assert'
import { commitWritesMax, type Item, type Json, type Table, TableError, type Write } from '../table/table.ts'
import { emptyClassicGroup } from './classic/classic-group.ts'
import type { ConsumerMember } from './consumer/consumer-group.ts'
import { emptyGroup, fold, type Group, type GroupRecord, isDurable, isOfOffsets } from './group.ts'
import {
  bucketPrefix, bucketSort, detailKey, groupIdOf, type Head, headFacts, headKey, pagePrefix, pendingPrefix, pendingSort, shardPartition,
} from './group-items.ts'
import { memberEntries, memberItem, recordsOfGroup } from './member-items.ts'
import { loadedPages, type MemberPages, noPages, planPages, type StoredMember, storedMember } from './member-pages.ts'
import { bucketItem, pendingItem, recordsOfBucket, recordsOfPending } from './offsets/offset-items.ts'
import { bucketOf } from './offsets/offsets.ts'
import { changedPending } from './offsets/pending.ts'

/** What the table holds of a group, as far as the one who claimed it knows. */
export interface Stored {
  /** Of the head; undefined: there is none. */
  readonly version: number | undefined
  readonly head: Head | undefined
  readonly pages: MemberPages
}

/**
 * `fenced`: another broker has claimed the group. `tooLarge`: it cannot be stored. `away`: nothing was written.
 * `unknown`: it may have been written, in whole or in part, so the group must be loaded again.
 */
export type SaveResult = Saved | NotSaved

export interface Saved {
  readonly kind: 'saved'
  readonly stored: Stored
}

export interface NotSaved {
  readonly kind: 'fenced' | 'tooLarge' | 'away' | 'unknown'
}

export interface GroupStoreOptions {
  readonly table: Table
  readonly brokerId: number
  /** Which topics these members subscribe to. */
  readonly subscribedBy: (members: readonly ConsumerMember[]) => ReadonlySet<string>
}

/** A part of the limit of the table, so that keys and conditions fit as well. */
const commitCharactersMax = 1_000_000

export class GroupStore {
  readonly #options: GroupStoreOptions

  constructor(options: GroupStoreOptions) {
    this.#options = options
  }

  /** The heads of a shard. Throws `TableError`. */
  async list(shard: number): Promise<{ groupId: string; version: number; head: Head }[]> {
    const items = await this.#options.table.query(shardPartition(shard))
    return items.map((item) => ({ groupId: groupIdOf(item), version: item.version, head: item.value as unknown as Head }))
  }

  /**
   * Claims a group by writing its head again, and reads it. Undefined: another broker claimed it meanwhile. A group
   * that does not exist is claimed by its first write. Throws `TableError`.
   */
  async load(groupId: string): Promise<{ group: Group; stored: Stored } | undefined> {
    const { table, brokerId } = this.#options
    const item = await table.get(headKey(groupId))
    const found = item?.value as unknown as Head | undefined
    if (item === undefined || found === undefined || found.kind === 'deleted') {
      return { group: emptyGroup(groupId), stored: { version: item?.version, head: found, pages: noPages } }
    }
    const head: Head = { ...found, owner: brokerId }
    const { committed } = await table.commit([{ kind: 'put', key: headKey(groupId), value: head as unknown as Json, expect: item.version }])
    if (!committed) return undefined
    const version = item.version + 1
    // Only now: before the claim somebody else might still have written.
    const details = await table.query(detailKey(groupId, 'x').partition)
    const { group, pages } = this.#assemble(groupId, head, details)
    await this.#sweepLeftOvers({ groupId, version, details, pages })
    return { group, stored: { version, head, pages } }
  }

  #assemble(groupId: string, head: Exclude<Head, { kind: 'deleted' }>, details: readonly Item[]): { group: Group; pages: MemberPages } {
    const bySort = new Map(details.map((item) => [item.sort, item.value]))
    const found = new Map<string, Json[]>()
    for (const sort of head.pages) {
      const value = bySort.get(sort)
      assert(value !== undefined, `page ${sort} of group ${groupId} is listed but missing`)
      found.set(sort, value as Json[])
    }
    const records = recordsOfGroup(head, [...found.values()].flat(), this.#options.subscribedBy)
    for (const [sort, value] of bySort) {
      if (sort.startsWith(bucketPrefix)) records.push(...recordsOfBucket(sort, value))
      else if (sort.startsWith(pendingPrefix)) records.push(...recordsOfPending(sort, value))
    }
    const group = fold(emptyGroup(groupId), records)
    const sources = new Map([...memberEntries(group.membership)].map(([memberId, ...rest]) => [memberId, rest]))
    const pages = loadedPages(head.revision, new Map([...found].map(([sort, members]) => [sort, members.map((item) => {
      const { memberId } = item as unknown as { memberId: string }
      return { memberId, member: storedMember(item, sources.get(memberId) ?? []) }
    })])))
    return { group, pages }
  }

  /** Pages of commits that were never completed. That they stay is no harm, so a failure here is none. */
  async #sweepLeftOvers({ groupId, version, details, pages }: {
    readonly groupId: string; readonly version: number; readonly details: readonly Item[]; readonly pages: MemberPages
  }): Promise<void> {
    const leftOvers = details.filter(({ sort }) => sort.startsWith(pagePrefix) && !pages.pages.has(sort))
    if (leftOvers.length === 0) return
    await this.#writeQuietly(
      groupId, version, leftOvers.map(({ partition, sort }) => ({ kind: 'delete', key: { partition, sort }, expect: 'any' }))
    )
  }

  /** Is the group still ours? Whoever took it has changed the head's version. Never throws. */
  async confirm(groupId: string, stored: Stored): Promise<SaveResult> {
    try {
      const head = await this.#options.table.get(headKey(groupId))
      return head?.version === stored.version ? { kind: 'saved', stored } : { kind: 'fenced' }
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      return { kind: 'away' }
    }
  }

  /**
   * The same where there is no group, and leaves a trace of that: without one, whoever takes itself for the coordinator of what it is
   * about to make would not be fenced. Never throws.
   */
  async confirmAbsent(groupId: string, stored: Stored, now: number): Promise<SaveResult> {
    const head: Head = { kind: 'deleted', owner: this.#options.brokerId, changedAt: now }
    const version = await this.#write({ groupId, first: [], last: [], head, isHeadWritten: true, version: stored.version })
    return typeof version === 'number' ? { kind: 'saved', stored: { ...stored, version, head } } : version
  }

  /** Writes what the records changed. Everything has the head's version as its condition. Never throws. */
  async save({ before, after, records, now }: Change, stored: Stored): Promise<SaveResult> {
    const isUnknown = stored.head === undefined || stored.head.kind === 'deleted'
    const touchesMembers = isUnknown || records.some((record) => !isOfOffsets(record) && isDurable(record))
    const membership = durableMembership(after, records)
    const plan = touchesMembers ? planPages(stored.pages, changedMembers(membership, stored.pages)) : undefined
    const put = ({ sort, value }: { readonly sort: string; readonly value: Json }): Write =>
      ({ kind: 'put', key: detailKey(after.groupId, sort), value, expect: 'any' })
    const remove = (sort: string): Write => ({ kind: 'delete', key: detailKey(after.groupId, sort), expect: 'any' })
    const offsets = offsetWrites(before, after, records)
    const pending = pendingWrites(before, after, records)
    const isPut = (write: Write) => write.kind === 'put'
    const pages = plan?.next ?? stored.pages
    const head = touchesMembers ? this.#head(membership, pages, now) : stored.head
    assert(head !== undefined)
    const result = await this.#write({
      groupId: after.groupId,
      first: [...(plan?.puts ?? []).map(put), ...offsets.filter((write) => !isPut(write))],
      last: [...offsets.filter(isPut), ...pending, ...(plan?.deletes ?? []).map(remove)],
      head, isHeadWritten: touchesMembers, version: stored.version,
    })
    if (typeof result !== 'number') return result
    return { kind: 'saved', stored: { version: result, head, pages } }
  }

  #head(membership: Group['membership'], { revision, pages }: MemberPages, now: number): Head {
    const owner = this.#options.brokerId
    if (membership === undefined) return { kind: 'deleted', owner, changedAt: now }
    return { ...headFacts(membership, now), owner, revision, pages: [...pages.keys()] } as Head
  }

  /** The head's new version. What does not fit into one commit is written in several. */
  async #write({ groupId, first, last, head, isHeadWritten, version }: Steps): Promise<number | NotSaved> {
    const key = headKey(groupId)
    const isPut = version === undefined || isHeadWritten
    const newVersion = isPut ? (version ?? 0) + 1 : version
    const guard: Write = isPut
      ? { kind: 'put', key, value: head as unknown as Json, expect: version ?? 'absent' }
      : { kind: 'check', key, expect: version }
    const before: Write = { kind: 'check', key, expect: version ?? 'absent' }
    const after: Write = { kind: 'check', key, expect: newVersion }
    const together = chunked([...first, ...last])
    const commits = together.length <= 1
      ? [[guard, ...(together[0] ?? [])]]
      : [...chunked(first).map((chunk) => [before, ...chunk]), [guard], ...chunked(last).map((chunk) => [after, ...chunk])]
    let hasWritten = false
    try {
      for (const writes of commits) {
        const { committed } = await this.#options.table.commit(writes)
        if (!committed) return { kind: 'fenced' }
        hasWritten = true
      }
      return newVersion
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      if (error.code === 'invalid' && !hasWritten) return { kind: 'tooLarge' }
      return { kind: error.code === 'away' && !hasWritten ? 'away' : 'unknown' }
    }
  }

  async #writeQuietly(groupId: string, version: number, writes: readonly Write[]): Promise<void> {
    try {
      for (const chunk of chunked(writes)) {
        await this.#options.table.commit([{ kind: 'check', key: headKey(groupId), expect: version }, ...chunk])
      }
    } catch (error) {
      if (!(error instanceof TableError)) throw error
    }
  }

  /** Removes the head of a group that was deleted long ago. Throws `TableError`. */
  async bury(groupId: string, version: number): Promise<void> {
    await this.#options.table.commit([{ kind: 'delete', key: headKey(groupId), expect: version }])
  }
}

export interface Change {
  readonly before: Group
  readonly after: Group
  readonly records: readonly GroupRecord[]
  /** Wall clock, milliseconds. */
  readonly now: number
}

interface Steps {
  readonly groupId: string
  /** What must be there before the head says so, and gone before the head says so. */
  readonly first: readonly Write[]
  /** What is nobody's without the head: offsets, and pages that it names no more. */
  readonly last: readonly Write[]
  readonly head: Head
  readonly isHeadWritten: boolean
  readonly version: number | undefined
}

/**
 * The members as they are to be found by whoever loads the group: of a classic group those of its last generation, for
 * a batch may go on from there to the next rebalance, which is in memory alone.
 */
function durableMembership({ membership }: Group, records: readonly GroupRecord[]): Group['membership'] {
  if (membership?.kind !== 'classic') return membership
  const last = records.findLast((record) => record.type === 'classic' && record.isDurable)
  return last?.type === 'classic' ? last.group : { ...emptyClassicGroup, changedAt: membership.changedAt }
}

function changedMembers(membership: Group['membership'], pages: MemberPages): Map<string, StoredMember | undefined> {
  const changes = new Map<string, StoredMember | undefined>()
  const present = new Set<string>()
  for (const [memberId, ...sources] of memberEntries(membership)) {
    present.add(memberId)
    const page = pages.pageOf.get(memberId)
    const known = page === undefined ? undefined : pages.pages.get(page)!.members.get(memberId)!
    if (known !== undefined && sources.every((source, index) => source === known.sources[index])) continue
    const item = memberItem(membership!, memberId)
    if (known !== undefined && JSON.stringify(item) === JSON.stringify(known.item)) continue
    changes.set(memberId, storedMember(item, sources))
  }
  for (const memberId of pages.pageOf.keys()) if (!present.has(memberId)) changes.set(memberId, undefined)
  return changes
}

function offsetWrites(before: Group, after: Group, records: readonly GroupRecord[]): Write[] {
  const buckets = new Map<string, { readonly topicId: string; readonly bucket: number }>()
  for (const record of records) {
    if (record.type === 'offset') {
      const bucket = bucketOf(record.partition)
      buckets.set(bucketSort(record.topicId, bucket), { topicId: record.topicId, bucket })
    } else if (record.type === 'groupDeleted') {
      for (const [topicId, found] of before.offsets) {
        for (const bucket of found.keys()) buckets.set(bucketSort(topicId, bucket), { topicId, bucket })
      }
    }
  }
  return [...buckets].map(([sort, { topicId, bucket }]): Write => {
    const key = detailKey(after.groupId, sort)
    const offsets = after.offsets.get(topicId)?.get(bucket)
    return offsets === undefined ? { kind: 'delete', key, expect: 'any' } : { kind: 'put', key, value: bucketItem(offsets), expect: 'any' }
  })
}

/** What waits is gone from the table no earlier than what became of it is there. */
function pendingWrites(before: Group, after: Group, records: readonly GroupRecord[]): Write[] {
  const changed = records.filter((record) => record.type === 'pendingOffset' || record.type === 'transactionEnded')
  const writes = new Map<string, Write>()
  for (const { producerId, topicId, bucket } of changedPending(before.pending, changed)) {
    const sort = pendingSort(producerId, topicId, bucket)
    const key = detailKey(after.groupId, sort)
    const found = after.pending.get(producerId)
    const offsets = found?.offsets.get(topicId)?.get(bucket)
    writes.set(sort, found === undefined || offsets === undefined
      ? { kind: 'delete', key, expect: 'any' } : { kind: 'put', key, value: pendingItem(offsets, found), expect: 'any' })
  }
  return [...writes.values()]
}

/** Each chunk fits into a commit together with one more write. */
function chunked(writes: readonly Write[]): Write[][] {
  const chunks: Write[][] = []
  let characters = Infinity
  for (const write of writes) {
    const length = write.kind === 'put' ? JSON.stringify(write.value).length : 0
    const current = chunks.at(-1)
    if (current === undefined || current.length >= commitWritesMax - 1 || characters + length > commitCharactersMax) {
      chunks.push([write])
      characters = length
    } else {
      current.push(write)
      characters += length
    }
  }
  return chunks
}
