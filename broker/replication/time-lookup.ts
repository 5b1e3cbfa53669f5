// Where in a partition a timestamp is, over both tiers. Retention moves the log's start and eviction that of the disk while
// a search goes on. What was not searched for that reason must not be taken for searched: a consumer that seeks by time would
// skip it without a word. So it is searched again, and after a few times the client is told to come back.

import type { PartitionLog } from '../log/partition-log.ts'
import { isStorageFailure } from '../log/storage-failure.ts'
import type { ColdTier, OffsetAndTimestamp } from './cold-tier.ts'

export interface SearchedPartition {
  readonly log: Pick<PartitionLog, 'logStartOffset' | 'localStartOffset' | 'offsetForTimestamp' | 'maxTimestamp'>
  readonly tier: ColdTier | undefined
}

type Answer = OffsetAndTimestamp | undefined | 'unavailable'
type Attempt = Answer | 'moved'

/** Each time something has moved meanwhile, which it does every few seconds at most. */
const attemptsMax = 5

/** The first record at or behind a timestamp; the lower offset wins, for timestamps are not monotonic. */
export async function findTimestamp(partition: SearchedPartition, timestamp: number, endOffset: number): Promise<Answer> {
  const found = await settled(() => firstAt(partition, timestamp))
  return typeof found === 'object' && found.offset >= endOffset ? undefined : found
}

/** The largest timestamp below an offset, and the first record that has it. */
export function findMaxTimestamp(partition: SearchedPartition, endOffset: number): Promise<Answer> {
  return settled(() => largestBelow(partition, endOffset))
}

async function settled(attempt: () => Promise<Attempt>): Promise<Answer> {
  for (let attempts = 0; attempts < attemptsMax; attempts++) {
    const found = await attempt()
    if (found !== 'moved') return found
  }
  return 'unavailable'
}

async function firstAt({ log, tier }: SearchedPartition, timestamp: number): Promise<Attempt> {
  const { logStartOffset: startOffset } = log
  if (startOffset < log.localStartOffset) {
    const cold = await (tier?.offsetForTimestamp(timestamp, startOffset) ?? 'unavailable')
    if (cold === 'unavailable') return cold
    if (cold.found !== undefined) return unlessDeleted(log, cold.found)
    // Neither the tier was asked for what lies between, nor will the disk have it.
    if (Math.max(cold.endOffset, log.logStartOffset) < log.localStartOffset) return 'moved'
  }
  const local = await onDisk(log, () => log.offsetForTimestamp(timestamp))
  return typeof local === 'object' ? unlessDeleted(log, local) : local
}

/** The disk first: what is evicted from it meanwhile was searched there. */
async function largestBelow({ log, tier }: SearchedPartition, endOffset: number): Promise<Attempt> {
  const { logStartOffset: startOffset, localStartOffset } = log
  const local = await onDisk(log, () => log.maxTimestamp(endOffset))
  if (typeof local === 'string') return local
  if (startOffset >= localStartOffset) return local === undefined ? local : unlessDeleted(log, local)
  const cold = await (tier?.maxTimestamp({ startOffset, endOffset }) ?? 'unavailable')
  if (cold === 'unavailable') return cold
  if (Math.max(cold.endOffset, log.logStartOffset) < Math.min(localStartOffset, endOffset)) return 'moved'
  const isCold = cold.found !== undefined && cold.found.timestamp >= (local?.timestamp ?? -1)
  const largest = isCold ? cold.found : local
  return largest === undefined ? largest : unlessDeleted(log, largest)
}

/** A search that meets a file which eviction has just removed has not met a damaged disk. */
async function onDisk(log: SearchedPartition['log'], search: () => Promise<OffsetAndTimestamp | undefined>): Promise<Attempt> {
  const { localStartOffset } = log
  try {
    return await search()
  } catch (cause) {
    if (isStorageFailure(cause) && log.localStartOffset > localStartOffset) return 'moved'
    throw cause
  }
}

function unlessDeleted(log: SearchedPartition['log'], found: OffsetAndTimestamp): Attempt {
  return found.offset < log.logStartOffset ? 'moved' : found
}
