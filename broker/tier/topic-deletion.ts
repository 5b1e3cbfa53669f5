// The end of a topic in the tier. A tombstone comes first: from then on no leader can claim the topic's partitions,
// and whoever finds the tombstone goes on with what is left to do, after any crash:
//
//   fence the heads -> wait until uploads and reads under way are over -> objects -> items -> the tombstone is finished
//
// A finished tombstone stays for days, so that a broker that slept through all of it cannot begin again.

import type { Uuid } from '../runtime/random.ts'
import type { Item, Json, Key, Table, Write } from '../table/table.ts'
import {
  deletedTopicKey, deletedTopicsPartition, headFromJson, headKey, headToJson, tablePartition, type TierPartitionId,
} from './manifest-items.ts'
import { partitionPrefix } from './object-key.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import type { TierIo } from './tier-io.ts'

export interface TopicDeletionOptions {
  readonly table: Table
  readonly io: TierIo
  readonly clusterId: string
  /** Wall clock. */
  readonly now: number
  /** From the request to the first deletion, in milliseconds: longer than any upload or fetch. */
  readonly graceMs: number
  /** How long a finished tombstone stays, in milliseconds. */
  readonly keepMs: number
  /** Once it aborts no further call is made: whoever comes next goes on with what is left. */
  readonly signal?: AbortSignal | undefined
}

interface Tombstone {
  readonly partitions: number
  readonly requestedAt: number
  readonly finishedAt: number | null
}

/** Above any epoch that a leader has: its manifest changes fail from here on. */
const deletedEpoch = 2 ** 31 - 1

export interface DeletedTopic {
  readonly topicId: Uuid
  /** How many it had. */
  readonly partitions: number
}

/** Puts the tombstone. Repeating it changes nothing. Throws `TierError` `away`. */
export async function requestTopicDeletion(table: Table, topic: DeletedTopic, now: number): Promise<void> {
  const value: Json = { partitions: topic.partitions, requestedAt: now, finishedAt: null }
  await commit({ table }, [{ kind: 'put', key: deletedTopicKey(topic.topicId), value, expect: 'absent' }])
}

/**
 * Goes on with every deletion that is due; one that fails keeps none of the others from theirs. Returns how many objects went.
 * Throws the first `TierError` once all had their turn; call again later. Throws what `signal` aborts with.
 */
export async function sweepDeletedTopics(options: TopicDeletionOptions): Promise<number> {
  const items = await attempt('reading deleted topics', () => options.table.query(deletedTopicsPartition), options)
  const failures: TierError[] = []
  let objects = 0
  for (const item of items) {
    try {
      objects += await sweep(options, item)
    } catch (cause) {
      options.signal?.throwIfAborted()
      failures.push(tierErrorOf(`deleting topic ${item.sort}`, cause))
    }
  }
  if (failures.length > 0) throw failures[0]!
  return objects
}

async function sweep(options: TopicDeletionOptions, { sort: topicId, value, version: expect }: Item): Promise<number> {
  const { now, graceMs, keepMs } = options
  const tombstone = tombstoneOf(value)
  const key = deletedTopicKey(topicId)
  if (tombstone.finishedAt !== null) {
    if (now - tombstone.finishedAt >= keepMs) await commit(options, [{ kind: 'delete', key, expect }])
    return 0
  }
  const ids = Array.from({ length: tombstone.partitions }, (_, partition) => ({ topicId, partition }))
  for (const id of ids) await fence(options, id)
  if (now - tombstone.requestedAt < graceMs) return 0
  let objects = 0
  for (const id of ids) objects += await empty(options, id)
  await commit(options, [{ kind: 'put', key, value: { ...tombstone, finishedAt: now }, expect }])
  return objects
}

async function fence(options: TopicDeletionOptions, id: TierPartitionId): Promise<void> {
  for (;;) {
    const item = await attempt('reading a head', () => options.table.get(headKey(id)), options)
    if (item === undefined) return
    const head = headFromJson(item.value)
    if (head.epoch === deletedEpoch) return
    const value = headToJson({ ...head, epoch: deletedEpoch })
    if (await commit(options, [{ kind: 'put', key: headKey(id), value, expect: item.version }])) return
  }
}

/** Objects before items: what the items say is not needed for it, and a crash between finds the tombstone. */
async function empty(options: TopicDeletionOptions, id: TierPartitionId): Promise<number> {
  const { table, io, clusterId } = options
  const prefix = partitionPrefix(clusterId, id)
  let count = 0
  for (;;) {
    const objects = await attempt('listing objects', () => io.listObjects(prefix, { limit: 1000 }), options)
    if (objects.length === 0) break
    await attempt('deleting objects', () => io.deleteObjects(objects.map(({ key }) => key)), options)
    count += objects.length
  }
  for (;;) {
    const items = await attempt('reading items', () => table.query(tablePartition(id), { limit: 100 }), options)
    if (items.length === 0) return count
    const keys = items.map(({ partition, sort }): Key => ({ partition, sort }))
    await commit(options, keys.map((key): Write => ({ kind: 'delete', key, expect: 'any' })))
  }
}

async function commit(options: Pick<TopicDeletionOptions, 'table' | 'signal'>, writes: readonly Write[]): Promise<boolean> {
  return (await attempt('deleting a topic', () => options.table.commit(writes), options)).committed
}

async function attempt<T>(doing: string, call: () => Promise<T>, { signal }: Pick<TopicDeletionOptions, 'signal'>): Promise<T> {
  signal?.throwIfAborted()
  try {
    return await call()
  } catch (cause) {
    throw tierErrorOf(doing, cause)
  }
}

function tombstoneOf(value: Json): Tombstone {
  const { partitions, requestedAt, finishedAt } = value as { partitions?: Json; requestedAt?: Json; finishedAt?: Json }
  const isSound = Number.isSafeInteger(partitions) && Number.isSafeInteger(requestedAt) &&
    (finishedAt === null || Number.isSafeInteger(finishedAt))
  if (!isSound) throw new TierError('damaged', `a tombstone reads ${JSON.stringify(value)}`)
  return value as unknown as Tombstone
}
