import { ErrorCode } from '../protocol/error-code.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import type { OffsetGaps } from './offset-gaps.ts'
import { type Appended, failed } from './pending-appends.ts'

/** What keeps a leader's batch from being the next one of a log that ends at `nextOffset`. */
export function problemWith(
  batch: RecordBatch,
  log: { readonly nextOffset: number; readonly latestEpoch: number | undefined; readonly gaps: OffsetGaps },
): Appended | undefined {
  const { nextOffset, latestEpoch = 0, gaps } = log
  const { baseOffset, leaderEpoch } = batch
  if (!batch.isIntact()) return failed(ErrorCode.CORRUPT_MESSAGE, `the batch at ${baseOffset} does not match its checksum`)
  if (!gaps.allow(nextOffset, baseOffset)) {
    return failed(ErrorCode.OFFSET_OUT_OF_RANGE, `a batch at ${baseOffset}, and ${nextOffset} is next`)
  }
  if (leaderEpoch >= latestEpoch) return undefined
  return failed(ErrorCode.CORRUPT_MESSAGE, `the batch at ${baseOffset} is of epoch ${leaderEpoch}, behind one of ${latestEpoch}`)
}
