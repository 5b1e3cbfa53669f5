// A manifest made anew from the bucket alone, after the table was lost. Objects say themselves which offsets they hold,
// who wrote them and along which lineage of epochs. Among them can be what was never in the manifest, or not any more:
// uploads of deposed leaders, inputs of compactions. The chain that is chosen reaches the furthest without a gap; where
// several objects could follow, the higher generation and then the higher epoch does.
//
// What the bucket cannot know is lost: a start of the log within the oldest segment, and retention's last deletions.

import { strict as assert } from 'node:assert'
import { commitWritesMax, type Table, type Write } from '../table/table.ts'
import { headKey, headToJson, segmentKey, type ManifestHead, type TierPartitionId } from './manifest-items.ts'
import { parseObjectKey, partitionPrefix } from './object-key.ts'
import { formatVersion } from './object-format.ts'
import type { EpochEntry } from './object-sections.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import type { InspectedObject, TierIo } from './tier-io.ts'
import { segmentToJson, type TieredSegment } from './tiered-segment.ts'

export interface RebuildOptions {
  readonly table: Table
  readonly io: TierIo
  readonly clusterId: string
  readonly id: TierPartitionId
  /** Reads every byte of every object, and not just what is behind the batches. */
  readonly readsBatches: boolean
}

export interface Rebuilt {
  readonly head: ManifestHead | undefined
  readonly segments: readonly TieredSegment[]
  /** Objects that are not in the manifest now; left alone. */
  readonly ignored: readonly { readonly key: string; readonly why: string }[]
}

export interface RebuildCandidate {
  readonly segment: TieredSegment
  readonly epochs: readonly EpochEntry[]
}

/** Throws `TierError`: `damaged` where there is a manifest already, `away` where bucket or table are. */
export async function rebuildManifest(options: RebuildOptions): Promise<Rebuilt> {
  const { table, io, clusterId, id } = options
  const candidates: RebuildCandidate[] = []
  const ignored: { key: string; why: string }[] = []
  const prefix = partitionPrefix(clusterId, id)
  for (let after: string | undefined, isMore = true; isMore; ) {
    const page = await io.listObjects(prefix, { after, limit: 1000 })
    for (const { key, length } of page) {
      const found = await inspect(options, key, length)
      if (typeof found === 'string') ignored.push({ key, why: found })
      else candidates.push(found)
    }
    after = page.at(-1)?.key
    isMore = page.length === 1000
  }
  const chosen = chooseChain(candidates)
  const segments = withTimestampsSoFar(chosen)
  ignored.push(
    ...candidates.filter((one) => !chosen.includes(one.segment)).map(({ segment: { key } }) => ({ key, why: 'not in the chain' }))
  )
  if (segments.length === 0) return { head: undefined, segments, ignored }
  const head: ManifestHead = {
    epoch: Math.max(...segments.map(({ epoch }) => epoch)),
    // What comes next must be newer than all that lies there, what was not chosen too.
    generation: Math.max(...candidates.map(({ segment }) => segment.generation)),
    logStart: segments[0]!.baseOffset, tieredEnd: segments.at(-1)!.endOffset,
    segments: segments.length, bytes: segments.reduce((total, { batchesBytes }) => total + batchesBytes, 0),
    maxTimestamp: segments.at(-1)!.maxTimestampSoFar,
  }
  await write({ table, id }, head, segments)
  return { head, segments, ignored }
}

/** The objects that make up the partition's history, in the order of offsets. Pure. */
export function chooseChain(candidates: readonly RebuildCandidate[]): TieredSegment[] {
  const newest = candidates.reduce<RebuildCandidate | undefined>((best, one) => {
    return best === undefined || one.segment.epoch > best.segment.epoch ||
      (one.segment.epoch === best.segment.epoch && one.segment.endOffset > best.segment.endOffset) ? one : best
  }, undefined)
  if (newest === undefined) return []
  const fit = candidates.filter((one) => isOfLineage(one, newest.epochs)).map(({ segment }) => segment)
  const end = Math.max(...fit.map(({ endOffset }) => endOffset))
  // From the end back to the lowest offset from which there is a way to it; `ways` has the best step at each offset.
  const ways = new Map<number, TieredSegment | undefined>([[end, undefined]])
  for (const segment of fit.toSorted((left, right) => right.baseOffset - left.baseOffset)) {
    if (!ways.has(segment.endOffset)) continue
    const other = ways.get(segment.baseOffset)
    if (other === undefined || isBetter(segment, other)) ways.set(segment.baseOffset, segment)
  }
  const chain: TieredSegment[] = []
  for (let step = ways.get(Math.min(...ways.keys())); step !== undefined; step = ways.get(step.endOffset)) chain.push(step)
  return chain
}

function isBetter(one: TieredSegment, other: TieredSegment): boolean {
  if (one.generation !== other.generation) return one.generation > other.generation
  if (one.epoch !== other.epoch) return one.epoch > other.epoch
  return one.endOffset > other.endOffset
}

/** Whether the object's own history up to its end is the same as the lineage's: a leader that lost may have had another. */
function isOfLineage({ segment, epochs }: RebuildCandidate, lineage: readonly EpochEntry[]): boolean {
  const upTo = (entries: readonly EpochEntry[]) => entries.filter(({ startOffset }) => startOffset < segment.endOffset)
  const own = upTo(epochs)
  const theirs = upTo(lineage)
  // Retention shortens lineages from the front, so the later one may lack what the earlier one begins with.
  const common = theirs.filter(({ epoch }) => own.length === 0 || epoch >= own[0]!.epoch)
  const tail = own.filter(({ epoch }) => theirs.length === 0 || epoch >= theirs[0]!.epoch)
  return common.length === tail.length && common.every(({ epoch }, index) => epoch === tail[index]!.epoch)
}

async function inspect({ io, id, readsBatches }: RebuildOptions, key: string, bytes: number): Promise<RebuildCandidate | string> {
  const name = parseObjectKey(key)
  if (name === undefined) return 'its key is none of ours'
  let found: InspectedObject
  try {
    found = await io.inspect({ key, bytes, readsBatches })
  } catch (cause) {
    const error = tierErrorOf('inspecting', cause)
    if (error.code === 'damaged' || error.code === 'missing') return error.message
    throw error
  }
  const { footer, epochs, crc32c } = found
  const isSame = footer.topicId === id.topicId && footer.partition === id.partition && footer.baseOffset === name.baseOffset &&
    footer.endOffset === name.endOffset && footer.epoch === name.epoch && footer.generation === name.generation
  if (!isSame) return 'its footer is another object\'s'
  const { topicId: _, partition: __, batchesCrc32c: ___, ...described } = footer
  const segment: TieredSegment = { ...described, key, bytes, crc32c, formatVersion, maxTimestampSoFar: footer.maxTimestamp }
  return { segment, epochs }
}

function withTimestampsSoFar(chain: readonly TieredSegment[]): TieredSegment[] {
  let most = -1
  return chain.map((segment, index) => {
    assert(index === 0 || chain[index - 1]!.endOffset === segment.baseOffset, 'a chain has no gaps')
    most = Math.max(most, segment.maxTimestamp)
    return { ...segment, maxTimestampSoFar: most }
  })
}

/** The head comes last: without it there is no manifest, and a rebuild that broke off is begun again. */
async function write(
  { table, id }: { table: Table; id: TierPartitionId }, head: ManifestHead, segments: readonly TieredSegment[],
): Promise<void> {
  const perCommit = commitWritesMax - 1
  try {
    for (let start = 0; start < segments.length; start += perCommit) {
      const rows = segments.slice(start, start + perCommit)
      const puts = rows.map(
        (row): Write => ({ kind: 'put', key: segmentKey(id, row.baseOffset), value: segmentToJson(row), expect: 'any' })
      )
      if (!(await table.commit([{ kind: 'check', key: headKey(id), expect: 'absent' }, ...puts])).committed) throw exists()
    }
    const { committed } = await table.commit([{ kind: 'put', key: headKey(id), value: headToJson(head), expect: 'absent' }])
    if (!committed) throw exists()
  } catch (cause) {
    throw tierErrorOf('writing the manifest', cause)
  }
}

function exists(): TierError {
  return new TierError('damaged', 'there is a manifest already')
}
