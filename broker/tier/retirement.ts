// The way out of the manifest. Rows go before objects: first the log's start moves (conditionally, and never back),
// then rows below it become `retired` items, and after a grace that is longer than any fetch that may still read them
// the objects go, and last the items. Each step is found again after a crash, because the table says how far it came.

import { retiredKey, segmentKey, uuidOf, intentKey, type RetiredObject, type UploadIntent } from './manifest-items.ts'
import type { Manifest } from './manifest.ts'
import { parseObjectKey } from './object-key.ts'
import { TierError } from './tier-error.ts'
import type { TierIo } from './tier-io.ts'
import type { Write } from '../table/table.ts'
import type { TieredSegment } from './tiered-segment.ts'

/** Two writes each and one for the head fit into a commit of 100. */
const stepsMax = 49

/** Whether the start moved. `offset` may lie within a segment, which then stays until the start has passed its end. */
export function advanceLogStart(manifest: Manifest, offset: number): Promise<boolean> {
  return manifest.change((head) => (offset > head.logStart ? { head: { ...head, logStart: offset }, writes: [] } : undefined))
}

/** Retires the oldest rows that end at the log's start or before. Returns those it did; call again while there are any. */
export async function retireRows(manifest: Manifest, now: number): Promise<readonly TieredSegment[]> {
  const seen = manifest.isCurrent ? manifest.head : await manifest.refresh()
  if (seen === undefined || seen.segments === 0) return []
  const rows = (await manifest.rowsFrom(0, stepsMax)).filter((row) => row.endOffset <= seen.logStart)
  if (rows.length === 0) return []
  const bytes = rows.reduce((total, row) => total + row.batchesBytes, 0)
  const isDone = await manifest.change((head) => {
    // The rows were read under this very head; under another they may be someone else's by now.
    if (head !== seen) return undefined
    const writes = rows.flatMap((row): Write[] => [
      { kind: 'delete', key: segmentKey(manifest.id, row.baseOffset), expect: 'any' },
      retiring(manifest, { uuid: uuidOf(row.key), key: row.key, bytes: row.batchesBytes, retiredAt: now, why: 'expired' }),
    ])
    return { head: { ...head, bytes: head.bytes - bytes, segments: head.segments - rows.length }, writes }
  })
  if (!isDone) return []
  manifest.dropRows((row) => row.endOffset <= seen.logStart)
  return rows
}

/** Gives up uploads that nobody will commit. From here on their commits fail, so that their objects may go. */
export async function retireIntents(manifest: Manifest, intents: readonly UploadIntent[], now: number): Promise<number> {
  let count = 0
  for (let start = 0; start < intents.length; start += stepsMax) {
    const some = intents.slice(start, start + stepsMax)
    const writes = some.flatMap(({ uuid, key }): Write[] => [
      { kind: 'delete', key: intentKey(manifest.id, uuid), expect: 1 },
      retiring(manifest, { uuid, key, bytes: 0, retiredAt: now, why: 'abandoned' }),
    ])
    if (await manifest.change((head) => ({ head, writes }))) count += some.length
  }
  return count
}

export interface DeletionOptions {
  readonly io: TierIo
  readonly now: number
  /** How long an object outlives its row. */
  readonly graceMs: number
  /** Objects at a time. */
  readonly limit: number
}

/** Deletes objects that were retired long enough ago, and then forgets them. Returns what it deleted. */
export async function deleteRetired(manifest: Manifest, options: DeletionOptions): Promise<readonly RetiredObject[]> {
  const { io, now, graceMs, limit } = options
  const due = (await manifest.retired()).filter((one) => now - one.retiredAt >= graceMs).slice(0, limit)
  if (due.length === 0) return []
  for (const one of due) await checkUnnamed(manifest, one)
  await io.deleteObjects(due.map(({ key }) => key))
  await manifest.forget(due)
  return due
}

/** An item in two states at once cannot be, and if it is, deleting would be the one thing that cannot be undone. */
async function checkUnnamed(manifest: Manifest, { key }: RetiredObject): Promise<void> {
  const name = parseObjectKey(key)
  if (name === undefined || name.topicId !== manifest.id.topicId || name.partition !== manifest.id.partition) {
    throw new TierError('damaged', `the retired object ${key} is not of this partition`)
  }
  const row = await manifest.floor(name.baseOffset)
  if (row?.key === key) throw new TierError('damaged', `the retired object ${key} is still in the manifest`)
}

export function retiring(manifest: Pick<Manifest, 'id'>, { uuid, ...value }: RetiredObject): Write {
  return { kind: 'put', key: retiredKey(manifest.id, uuid), value, expect: 'any' }
}
