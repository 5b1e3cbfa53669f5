import { ErrorCode } from '../protocol/error-code.ts'
import type { Partition } from './partition.ts'

/** The new log start, or the refusal. */
export type Deleted = { readonly logStartOffset: number } | { readonly errorCode: number }

/** Deletes records below an offset; -1: all that consumers may see. */
export async function deleteRecords(partition: Partition, before: number): Promise<Deleted> {
  const { highWatermark, tier, term, log } = partition
  const offset = before === -1 ? highWatermark : before
  if (offset < 0 || offset > highWatermark) return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }
  const isOver = () => partition.term !== term
  await log.advanceLogStart(offset)
  try {
    // Where the log starts there already the tier may have missed it, and this is asked once more because of that.
    if (!isOver()) await tier?.advanceLogStart(partition.logStartOffset)
  } catch (cause) {
    if (!isOver()) throw cause
  }
  // The next leader may not have heard of it, and has to be asked: what has gone from this disk has gone from one replica.
  if (isOver()) return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER }
  return { logStartOffset: partition.logStartOffset }
}
