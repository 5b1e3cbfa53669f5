// Offsets that wait for the end of the transaction that they are part of. Nobody sees them before, and they go with it.

import type { Uuid } from '../../runtime/random.ts'
import { bucketOf, eachOffset, foldOffsets, noOffsets, type OffsetChange, offsetOf, type Offsets } from './offsets.ts'

/** By producer id: a producer has one transaction at a time. */
export type Pending = ReadonlyMap<number, PendingOffsets>

export interface PendingOffsets extends PendingSource {
  readonly offsets: Offsets
}

/** The transaction that they are part of. */
export interface PendingSource {
  readonly producerEpoch: number
  /** Of its coordinator, which counts up with each broker that takes it over; -1: not said. */
  readonly coordinatorEpoch: number
}

export interface PendingRecord extends OffsetChange, PendingSource {
  readonly type: 'pendingOffset'
  readonly producerId: number
}

/** What waited for it is dropped; what became of it are records of their own. */
export interface TransactionEnded {
  readonly type: 'transactionEnded'
  readonly producerId: number
}

export const nonePending: Pending = new Map()

export function foldPending(pending: Pending, records: readonly (PendingRecord | TransactionEnded)[]): Pending {
  if (records.length === 0) return pending
  const next = new Map(pending)
  for (const run of runsOf(records)) {
    const { producerId } = run[0]!
    const changes = run.filter((record) => record.type === 'pendingOffset')
    const last = changes.at(-1)
    if (last === undefined) next.delete(producerId)
    else {
      const { producerEpoch, coordinatorEpoch } = last
      const offsets = foldOffsets(next.get(producerId)?.offsets ?? noOffsets, changes)
      if (offsets.size === 0) next.delete(producerId)
      else next.set(producerId, { producerEpoch, coordinatorEpoch, offsets })
    }
  }
  return next
}

/** Records in a row that are of one kind and one producer: their offsets are copied once. */
function runsOf(records: readonly (PendingRecord | TransactionEnded)[]): (PendingRecord | TransactionEnded)[][] {
  const runs: (PendingRecord | TransactionEnded)[][] = []
  for (const record of records) {
    const run = runs.at(-1)
    const isSame = run?.[0]!.type === record.type && run[0]!.producerId === record.producerId
    if (run !== undefined && isSame) run.push(record)
    else runs.push([record])
  }
  return runs
}

/** Whether a transaction may still change what is committed for a partition. */
export function isPending(pending: Pending, topicId: Uuid, partition: number): boolean {
  for (const { offsets } of pending.values()) if (offsetOf(offsets, topicId, partition) !== undefined) return true
  return false
}

/** Records that take what waits for some topics away. */
export function forgetPending(pending: Pending, topicIds: ReadonlySet<Uuid>): PendingRecord[] {
  const records: PendingRecord[] = []
  for (const [producerId, { producerEpoch, coordinatorEpoch, offsets }] of pending) {
    for (const { topicId, partition } of eachOffset(offsets)) {
      if (!topicIds.has(topicId)) continue
      records.push({ type: 'pendingOffset', producerId, producerEpoch, coordinatorEpoch, topicId, partition, offset: undefined })
    }
  }
  return records
}

/** The buckets that records change, by producer; all of a producer's where its transaction ended. */
export function* changedPending(
  before: Pending, records: readonly (PendingRecord | TransactionEnded)[],
): Generator<{ readonly producerId: number; readonly topicId: Uuid; readonly bucket: number }> {
  for (const record of records) {
    const { producerId } = record
    if (record.type === 'pendingOffset') yield { producerId, topicId: record.topicId, bucket: bucketOf(record.partition) }
    else {
      for (const [topicId, buckets] of before.get(producerId)?.offsets ?? noOffsets) {
        for (const bucket of buckets.keys()) yield { producerId, topicId, bucket }
      }
    }
  }
}
