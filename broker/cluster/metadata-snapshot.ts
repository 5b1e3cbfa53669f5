// The image of the cluster as of one item of the metadata log, so that what is before it need not be kept.
//
//   table partition `metadata-snapshot`   sort key `current`          value { sequence, chunks }: the floor of the log
//                                         sort key `000000000420/003` value { entries: [...] }
//
// Chunks are written first, then the floor is moved, then what is below it is deleted, but for the item of the floor itself:
// who is behind finds that one, sees the gap, and begins with the snapshot. Every append has the floor's version as a condition:
// one that was sent long ago cannot take the place of an item that was deleted since.

import type { Json, Table, Write } from '../table/table.ts'
import { commitWritesMax } from '../table/table.ts'
import type { BrokerImage, Image, PartitionImage } from './image.ts'

const snapshotPartition = 'metadata-snapshot'
const floorKey = { partition: snapshotPartition, sort: 'current' }

/** Below it the log is gone. */
export interface Floor {
  readonly version: number | 'absent'
  readonly sequence: number
}

export const noFloor: Floor = { version: 'absent', sequence: 0 }

type Entry =
  | { readonly kind: 'broker'; readonly broker: BrokerImage }
  | { readonly kind: 'topic'; readonly id: string; readonly name: string }
  | { readonly kind: 'partition'; readonly topicId: string; readonly partition: PartitionImage }
  | { readonly kind: 'unpurged'; readonly topicId: string; readonly partitions: number }
  | { readonly kind: 'config'; readonly key: string; readonly values: readonly (readonly [string, string])[] }

function* entriesOf(image: Image): Generator<Entry> {
  for (const broker of image.brokers.values()) yield { kind: 'broker', broker }
  for (const { id, name, partitions } of image.topics.values()) {
    yield { kind: 'topic', id, name }
    for (const partition of partitions) yield { kind: 'partition', topicId: id, partition }
  }
  for (const [topicId, partitions] of image.unpurged) yield { kind: 'unpurged', topicId, partitions }
  for (const [key, values] of image.configs) yield { kind: 'config', key, values: [...values] }
}

/** What a snapshot of the image is made of, each at most `charactersMax` long as JSON, or one entry. */
export function chunksOf(image: Image, charactersMax: number): Json[] {
  const chunks: Entry[][] = []
  let characters = Infinity
  for (const entry of entriesOf(image)) {
    const length = JSON.stringify(entry).length + 1
    if (characters + length > charactersMax) {
      chunks.push([])
      characters = 0
    }
    chunks.at(-1)!.push(entry)
    characters += length
  }
  return chunks.map((entries) => ({ entries }) as unknown as Json)
}

function imageOf(sequence: number, chunks: readonly Json[]): Image {
  const brokers = new Map<number, BrokerImage>()
  const topics = new Map<string, { id: string; name: string; partitions: PartitionImage[] }>()
  const topicIds = new Map<string, string>()
  const unpurged = new Map<string, number>()
  const configs = new Map<string, ReadonlyMap<string, string>>()
  for (const chunk of chunks) {
    for (const entry of (chunk as unknown as { entries: readonly Entry[] }).entries) {
      if (entry.kind === 'broker') brokers.set(entry.broker.brokerId, entry.broker)
      else if (entry.kind === 'topic') {
        topics.set(entry.id, { id: entry.id, name: entry.name, partitions: [] })
        topicIds.set(entry.name, entry.id)
      } else if (entry.kind === 'partition') topics.get(entry.topicId)!.partitions[entry.partition.partition] = entry.partition
      else if (entry.kind === 'unpurged') unpurged.set(entry.topicId, entry.partitions)
      else configs.set(entry.key, new Map(entry.values))
    }
  }
  return { sequence, brokers, topics, topicIds, unpurged, configs }
}

/** Throws `TableError`. */
export async function readFloor(table: Table): Promise<Floor & { readonly chunks: number }> {
  const item = await table.get(floorKey)
  if (item === undefined) return { ...noFloor, chunks: 0 }
  const { sequence, chunks } = item.value as { sequence: number; chunks: number }
  return { version: item.version, sequence, chunks }
}

/** The image at the floor; undefined where there is none yet, or where it moved while it was read. Throws `TableError`. */
export async function readSnapshot(table: Table): Promise<{ readonly image: Image; readonly floor: Floor } | undefined> {
  const { chunks, ...floor } = await readFloor(table)
  if (floor.version === 'absent') return undefined
  const items = await table.query(snapshotPartition, { prefix: `${sortKey(floor.sequence)}/` })
  return items.length === chunks ? { image: imageOf(floor.sequence, items.map(({ value }) => value)), floor } : undefined
}

/**
 * Makes an image the floor of the log. Undefined where somebody else has moved it meanwhile. Throws `TableError`, and may
 * be called again: what was begun is written over.
 */
export async function moveFloor(
  table: Table, floor: Floor, { sequence, chunks }: { readonly sequence: number; readonly chunks: readonly Json[] },
): Promise<Floor | undefined> {
  for (const [index, value] of chunks.entries()) {
    const key = { partition: snapshotPartition, sort: `${sortKey(sequence)}/${String(index).padStart(6, '0')}` }
    await table.commit([{ kind: 'put', key, value, expect: 'any' }])
  }
  const { committed } = await table.commit([
    { kind: 'put', key: floorKey, value: { sequence, chunks: chunks.length }, expect: floor.version },
  ])
  if (!committed) return undefined
  return { sequence, version: floor.version === 'absent' ? 1 : floor.version + 1 }
}

/** Deletes what is below the floor, of the log and of older snapshots. Throws `TableError`; what is left goes the next time. */
export async function sweepBelow(table: Table, logPartition: string, { sequence }: Floor): Promise<void> {
  for (const partition of [logPartition, snapshotPartition]) {
    for (;;) {
      const items = await table.query(partition, { end: sortKey(sequence), limit: commitWritesMax })
      if (items.length === 0) break
      await table.commit(items.map((item): Write => {
        return { kind: 'delete', key: { partition, sort: item.sort }, expect: 'any' }
      }))
    }
  }
}

/** In the order of the numbers. */
export function sortKey(sequence: number): string {
  return String(sequence).padStart(12, '0')
}

/** That the floor is still where it was. */
export function floorIs({ version }: Floor): Write {
  return { kind: 'check', key: floorKey, expect: version }
}
