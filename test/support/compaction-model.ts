// What a pass of compaction has to leave, told from the rules alone: over plain objects, with the whole log in view at once, and
// without a map of hashes, a stream or a byte. What it says is held against the code.

import type { PlainBatch, PlainRecord } from './compaction-history.ts'

export interface ModelPass {
  /** The keys of records in [dirtyStart, mapEnd) are known. */
  readonly dirtyStart: number
  readonly mapEnd: number
  readonly roundEnd: number
  readonly now: number
  readonly deleteRetentionMs: number
  readonly lastOfProducers: ReadonlyMap<number, { readonly lastDataOffset: number; readonly epoch: number }>
}

export type ModelBatch = Omit<PlainBatch, 'bytes'>

export function modelPass(log: readonly ModelBatch[], pass: ModelPass): ModelBatch[] {
  const newest = newestOffsets(log, pass)
  const withBatches = new Set(log.filter(({ isMarker }) => !isMarker).map(({ transaction }) => transaction?.id))
  return log.flatMap((batch) => {
    const { records, horizon } = left(batch, { ...pass, newest, hasTransaction: withBatches.has(batch.transaction?.id) })
    return records.length > 0 || staysEmpty(batch, pass) ? [{ ...batch, records, horizon }] : []
  })
}

/** Key to offset, of records that count. */
function newestOffsets(log: readonly ModelBatch[], { dirtyStart, mapEnd }: ModelPass): Map<string, number> {
  const newest = new Map<string, number>()
  for (const { isMarker, transaction, records } of log) {
    if (isMarker || transaction?.isAborted) continue
    for (const { key, offset } of records) if (key !== null && offset >= dirtyStart && offset < mapEnd) newest.set(key, offset)
  }
  return newest
}

function left(
  batch: ModelBatch, of: ModelPass & { readonly newest: ReadonlyMap<string, number>; readonly hasTransaction: boolean },
): { readonly records: readonly PlainRecord[]; readonly horizon: number | undefined } {
  const { now, deleteRetentionMs, mapEnd, newest } = of
  const set = batch.horizon ?? now + deleteRetentionMs
  const isOver = batch.horizon !== undefined && batch.horizon <= now
  if (batch.records.length === 0) return batch
  if (batch.isMarker) {
    if (of.hasTransaction) return batch
    return isOver ? { records: [], horizon: undefined } : { records: batch.records, horizon: set }
  }
  if (batch.transaction?.isAborted) return { records: [], horizon: undefined }
  if (batch.baseOffset >= mapEnd) return batch
  const records = batch.records.filter(({ key, value, offset }) => key !== null && offset >= (newest.get(key) ?? -1) && !(value === null && isOver))
  const hasTombstone = records.some(({ value }) => value === null)
  return { records, horizon: records.length === 0 ? undefined : hasTombstone ? set : batch.horizon }
}

function staysEmpty({ lastOffset, producerId, isMarker, epoch }: ModelBatch, { roundEnd, lastOfProducers }: ModelPass): boolean {
  if (lastOffset + 1 === roundEnd) return true
  const last = lastOfProducers.get(producerId)
  if (producerId < 0 || last === undefined) return false
  return last.lastDataOffset < 0 ? isMarker && last.epoch === epoch : last.lastDataOffset === lastOffset
}

/** What a consumer makes of a log that keeps to committed records: the newest value of each key that is not deleted. */
export function tableOf(log: readonly ModelBatch[]): Map<string, string> {
  const table = new Map<string, string>()
  for (const { isMarker, transaction, records } of log) {
    if (isMarker || transaction?.isAborted) continue
    for (const { key, value } of records) {
      if (key !== null && value === null) table.delete(key)
      else if (key !== null) table.set(key, value!)
    }
  }
  return table
}
