// The bucket against the manifest, for what neither intents nor retired items know of: an object whose upload ended
// after its intent was swept, or one that somebody else removed. Fails closed: whatever cannot be read, parsed or held
// against one state of the manifest is left alone, and an error of the store is never taken for a missing object.
//
// Nothing is deleted here. An orphan becomes a retired item, under the head's version, and goes with the others.

import type { ListedObject } from '../objects/object-store.ts'
import type { Manifest } from './manifest.ts'
import { type RetiredObject, uuidOf } from './manifest-items.ts'
import { parseObjectKey, partitionPrefix } from './object-key.ts'
import { retiring } from './retirement.ts'
import type { TierIo } from './tier-io.ts'
import type { TieredSegment } from './tiered-segment.ts'

export interface ReconciliationOptions {
  readonly manifest: Manifest
  readonly io: TierIo
  readonly clusterId: string
  readonly now: number
  /** Younger objects are not looked at: their uploads may be under way. Longer than any upload. */
  readonly ageMs: number
}

export interface Reconciliation {
  /** Objects that are now on their way out. */
  readonly orphans: readonly RetiredObject[]
  /** Keys in the partition's place that no broker makes; left alone. */
  readonly foreign: readonly string[]
  /** Rows whose object the store says it does not have, or has with another length. */
  readonly missing: readonly TieredSegment[]
}

const listedMax = 1000
/** One put each, and the head. */
const orphansMax = 99

/** Undefined: the manifest changed meanwhile, or there is none; nothing was done. Throws `TierError`. */
export async function reconcile(options: ReconciliationOptions): Promise<Reconciliation | undefined> {
  const { manifest, io, clusterId, now, ageMs } = options
  const prefix = partitionPrefix(clusterId, manifest.id)
  const listed: ListedObject[] = []
  for (let page: readonly ListedObject[] | undefined; page === undefined || page.length === listedMax; ) {
    page = await io.listObjects(prefix, { after: listed.at(-1)?.key, limit: listedMax })
    listed.push(...page)
  }
  const seen = await manifest.refresh()
  if (seen === undefined) return undefined
  // In this order: an upload moves from intents to segments to retired ones, and is met wherever it is by then.
  const intents = await manifest.intents()
  const segments = await allSegments(manifest)
  const retired = await manifest.retired()
  const named = new Set([...intents, ...segments, ...retired].map(({ key }) => key))
  const unnamed = listed.filter(({ key, modifiedAt }) => !named.has(key) && now - modifiedAt >= ageMs)
  const foreign = unnamed.filter(({ key }) => parseObjectKey(key) === undefined).map(({ key }) => key)
  const orphans = unnamed.filter(({ key }) => parseObjectKey(key) !== undefined).slice(0, orphansMax)
    .map(({ key, length }): RetiredObject => ({ uuid: uuidOf(key), key, bytes: length, retiredAt: now, why: 'orphan' }))
  const missing = await missingOf(options, segments, listed)
  const isDone = await manifest.change((head) => {
    if (head !== seen) return undefined
    return { head, writes: orphans.map((one) => retiring(manifest, one)) }
  })
  return isDone ? { orphans, foreign, missing } : undefined
}

async function allSegments(manifest: Manifest): Promise<TieredSegment[]> {
  const segments: TieredSegment[] = []
  for (let page: TieredSegment[] | undefined; page === undefined || page.length === listedMax; ) {
    page = await manifest.rowsFrom(segments.at(-1)?.endOffset ?? 0, listedMax)
    segments.push(...page)
  }
  return segments
}

/** What was not listed may have come since: each is looked for by itself. */
async function missingOf({ io }: ReconciliationOptions, segments: readonly TieredSegment[], listed: readonly ListedObject[]) {
  const lengths = new Map(listed.map(({ key, length }) => [key, length]))
  const missing: TieredSegment[] = []
  for (const segment of segments) {
    if (lengths.get(segment.key) === segment.bytes) continue
    if ((await io.objectBytes(segment.key)) !== segment.bytes) missing.push(segment)
  }
  return missing
}
