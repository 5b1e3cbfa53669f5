// What the table holds of a partition's tier:
//
//   tier/<topicId>/<partition>   head               where the tier begins and ends, and whose word counts
//                                intent/<uuid>      an upload that was started and is not in the manifest
//                                retired/<uuid>     an object that the manifest names no more and that is still there
//                                segment/<base>     one object, in the manifest: FINISHED in Kafka's words
//   tier-deleted-topics          <topicId>          a topic whose tier is going or gone
//
// An upload's uuid, which is in the key of its object, moves one way only: intent -> segment -> retired -> nothing, or
// intent -> retired -> nothing, each step in one commit. So whoever reads intents, then segments, then retired ones
// meets every object that may be referenced. Readers and sums see segments alone.

import type { Uuid } from '../runtime/random.ts'
import type { Json, Key } from '../table/table.ts'
import { TierError } from './tier-error.ts'

export interface TierPartitionId {
  readonly topicId: Uuid
  readonly partition: number
}

/** The one item that each change of the manifest writes; its version orders them. */
export interface ManifestHead {
  /** Of the leader whose word counts; -1: nobody's yet. */
  readonly epoch: number
  /** No offset below is served any more. Never decreases. */
  readonly logStart: number
  /** Exclusive; where the next segment begins, unless `logStart` has overtaken it. Never decreases. */
  readonly tieredEnd: number
  /** Counts the swaps that compaction made. */
  readonly generation: number
  /** Of the batches of all segments in the manifest. */
  readonly bytes: number
  readonly segments: number
  /** The largest timestamp that any segment ever had. */
  readonly maxTimestamp: number
  /** Absent: nothing of the partition was ever compacted. */
  readonly compaction?: CompactionState
}

/** How far compaction came: whoever goes on with it, after whatever crash, knows it from here. */
export interface CompactionState {
  /** Exclusive; what lies below was compacted as a whole. What lies behind is dirty. */
  readonly cleanedEnd: number
  /** Exclusive end of what the pass under way has to do with. */
  readonly passEnd: number
  /** The rows below were rewritten by the pass under way; 0 where none is. */
  readonly passNext: number
  /** Wall clock from which on the first tombstone or marker that was kept may go; -1: there is none. */
  readonly horizonMs: number
  /** The same of what the pass under way has kept so far. */
  readonly passHorizonMs: number
}

export interface UploadIntent {
  readonly uuid: Uuid
  readonly key: string
  readonly baseOffset: number
  readonly endOffset: number
  readonly epoch: number
  /** Wall clock of the broker that started it. */
  readonly startedAt: number
}

export interface RetiredObject {
  readonly uuid: Uuid
  readonly key: string
  /** Of the batches, as far as they are known. */
  readonly bytes: number
  /** Wall clock of whoever retired it. */
  readonly retiredAt: number
  readonly why: 'expired' | 'abandoned' | 'compacted' | 'orphan'
}

export const deletedTopicsPartition = 'tier-deleted-topics'

export function tablePartition({ topicId, partition }: TierPartitionId): string {
  return `tier/${topicId}/${partition}`
}

export function headKey(id: TierPartitionId): Key {
  return { partition: tablePartition(id), sort: 'head' }
}

export function intentKey(id: TierPartitionId, uuid: Uuid): Key {
  return { partition: tablePartition(id), sort: `intent/${uuid}` }
}

export function retiredKey(id: TierPartitionId, uuid: Uuid): Key {
  return { partition: tablePartition(id), sort: `retired/${uuid}` }
}

export function segmentKey(id: TierPartitionId, baseOffset: number): Key {
  return { partition: tablePartition(id), sort: segmentSort(baseOffset) }
}

export function segmentSort(baseOffset: number): string {
  return `segment/${String(baseOffset).padStart(20, '0')}`
}

export function deletedTopicKey(topicId: Uuid): Key {
  return { partition: deletedTopicsPartition, sort: topicId }
}

/** The part of an object's key that tells it from all others. */
export function uuidOf(objectKey: string): Uuid {
  return objectKey.slice(-22)
}

export function headFromJson(value: Json): ManifestHead {
  const number = numbersOf(value, 'head')
  return {
    epoch: number('epoch', -1), logStart: number('logStart'), tieredEnd: number('tieredEnd'), generation: number('generation'),
    bytes: number('bytes'), segments: number('segments'), maxTimestamp: number('maxTimestamp', -1),
    ...compactionFromJson((value as { compaction?: Json }).compaction),
  }
}

export function headToJson({ compaction, ...head }: ManifestHead): Json {
  return compaction === undefined ? head : { ...head, compaction: { ...compaction } }
}

function compactionFromJson(value: Json | undefined): { readonly compaction?: CompactionState } {
  if (value === undefined) return {}
  const number = numbersOf(value, 'head.compaction')
  const compaction = {
    cleanedEnd: number('cleanedEnd'), passEnd: number('passEnd'), passNext: number('passNext'),
    horizonMs: number('horizonMs', -1), passHorizonMs: number('passHorizonMs', -1),
  }
  return { compaction }
}

export function intentFromJson(uuid: Uuid, value: Json): UploadIntent {
  const number = numbersOf(value, 'intent')
  const { key } = value as { key?: Json }
  if (typeof key !== 'string') throw new TierError('damaged', `manifest intent ${uuid}: no key`)
  return {
    uuid, key, epoch: number('epoch'), startedAt: number('startedAt'),
    baseOffset: number('baseOffset'), endOffset: number('endOffset'),
  }
}

export function retiredFromJson(uuid: Uuid, value: Json): RetiredObject {
  const number = numbersOf(value, 'retired')
  const { key, why } = value as { key?: Json; why?: Json }
  if (typeof key !== 'string' || typeof why !== 'string') throw new TierError('damaged', `retired object ${uuid}: no key`)
  return { uuid, key, bytes: number('bytes'), retiredAt: number('retiredAt'), why: why as RetiredObject['why'] }
}

function numbersOf(value: Json, item: string): (name: string, min?: number) => number {
  const fields = value as Record<string, unknown> | null
  return (name, min = 0) => {
    const given = typeof fields === 'object' && fields !== null ? fields[name] : undefined
    if (Number.isSafeInteger(given) && (given as number) >= min) return given as number
    throw new TierError('damaged', `manifest ${item}: ${name} is ${JSON.stringify(given)}`)
  }
}
