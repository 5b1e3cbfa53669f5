// The one step of compaction that anybody sees: rows go, rows come, the generation counts up, in one commit of the table.
// It stands only where head, rows and intents are what they were when the pass was begun: the epoch is the same, no other
// swap came between, retention has retired none of the rows, and no sweep has taken an intent. Whoever loses has objects
// that no row names, whose intents say where they lie.

import { strict as assert } from 'node:assert'
import { commitWritesMax, type Write } from '../../table/table.ts'
import {
  type CompactionState, intentKey, type ManifestHead, segmentKey, type UploadIntent, uuidOf,
} from '../manifest-items.ts'
import type { Manifest, PinnedRow } from '../manifest.ts'
import { retiring } from '../retirement.ts'
import { TierError } from '../tier-error.ts'
import { segmentToJson, type TieredSegment } from '../tiered-segment.ts'

/** The manifest that a pass goes by. */
export interface Pin {
  readonly epoch: number
  readonly generation: number
}

export interface Swap {
  readonly inputs: readonly PinnedRow[]
  readonly outputs: readonly TieredSegment[]
  /** Of the outputs. */
  readonly intents: readonly UploadIntent[]
  /** What the head says of compaction from then on. */
  readonly compaction: CompactionState
  /** Wall clock. */
  readonly now: number
}

export function isPinned(head: ManifestHead, pin: Pin): boolean {
  return head.epoch === pin.epoch && head.generation === pin.generation
}

/** Writes down what is about to be stored. False: the pin does not hold any more. Throws `TierError`. */
export function intend(manifest: Manifest, pin: Pin, intent: UploadIntent): Promise<boolean> {
  const { uuid, ...value } = intent
  return manifest.change((head) => {
    if (!isPinned(head, pin)) return undefined
    return { head, writes: [{ kind: 'put', key: intentKey(manifest.id, uuid), value, expect: 'absent' }] }
  })
}

/** Takes note of how far a pass came without a swap. False: the pin does not hold any more. */
export function note(manifest: Manifest, pin: Pin, compaction: CompactionState): Promise<boolean> {
  return manifest.change((head) => (isPinned(head, pin) ? { head: { ...head, compaction }, writes: [] } : undefined))
}

/** False: something else has changed, and nothing was. Throws `TierError`; after `away` it may have been done. */
export async function swapRows(manifest: Manifest, pin: Pin, swap: Swap): Promise<boolean> {
  const { inputs, outputs, compaction } = swap
  checkCover(inputs.map(({ row }) => row), outputs)
  const writes = writesOf(manifest, swap)
  assert(writes.length < commitWritesMax, `${writes.length} writes in one swap`)
  const isDone = await manifest.change((head) => {
    if (!isPinned(head, pin)) return undefined
    const bytes = head.bytes - bytesOf(inputs.map(({ row }) => row)) + bytesOf(outputs)
    const segments = head.segments - inputs.length + outputs.length
    return { head: { ...head, generation: head.generation + 1, bytes, segments, compaction }, writes }
  })
  if (isDone) {
    const gone = new Set(inputs.map(({ row }) => row.key))
    manifest.dropRows((row) => gone.has(row.key))
  }
  return isDone
}

function writesOf({ id }: Manifest, { inputs, outputs, intents, now }: Swap): Write[] {
  const writes: Write[] = []
  const places = new Map(outputs.map((row) => [row.baseOffset, row]))
  for (const { row, version } of inputs) {
    const key = segmentKey(id, row.baseOffset)
    const next = places.get(row.baseOffset)
    places.delete(row.baseOffset)
    if (next === undefined) writes.push({ kind: 'delete', key, expect: version })
    else writes.push({ kind: 'put', key, value: segmentToJson(next), expect: version })
    writes.push(retiring({ id }, { uuid: uuidOf(row.key), key: row.key, bytes: row.batchesBytes, retiredAt: now, why: 'compacted' }))
  }
  for (const row of places.values()) {
    writes.push({ kind: 'put', key: segmentKey(id, row.baseOffset), value: segmentToJson(row), expect: 'absent' })
  }
  for (const { uuid } of intents) writes.push({ kind: 'delete', key: intentKey(id, uuid), expect: 1 })
  return writes
}

/** New rows stand for the very offsets that the old ones stood for. */
function checkCover(inputs: readonly TieredSegment[], outputs: readonly TieredSegment[]): void {
  const isWhole = (rows: readonly TieredSegment[]) =>
    rows.every((row, index) => index === 0 || row.baseOffset === rows[index - 1]!.endOffset)
  const isSame = outputs.length > 0 && isWhole(inputs) && isWhole(outputs) &&
    inputs[0]!.baseOffset === outputs[0]!.baseOffset && inputs.at(-1)!.endOffset === outputs.at(-1)!.endOffset
  if (!isSame) throw new TierError('damaged', `rows [${rangeOf(inputs)}) would be replaced by [${rangeOf(outputs)})`)
}

function rangeOf(rows: readonly TieredSegment[]): string {
  return `${rows[0]?.baseOffset}, ${rows.at(-1)?.endOffset}`
}

function bytesOf(rows: readonly TieredSegment[]): number {
  return rows.reduce((total, { batchesBytes }) => total + batchesBytes, 0)
}
