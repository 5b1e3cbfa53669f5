// What the checker takes from record batches: read here once more, and not with the broker's own reader of records.

import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsIn } from '../../test/support/record-batches.ts'
import type { LoggedBatch, Sighting } from './history.ts'
import { nameOf } from './values.ts'

/** The header of a tombstone that says which it is: it has no value to say it in. */
export const tombstoneHeader = 'tombstone'

export function logged(batch: RecordBatch): LoggedBatch {
  const { baseOffset, lastOffset, recordCount, leaderEpoch, producerId, producerEpoch, baseSequence, isTransactional } = batch
  return { baseOffset, lastOffset, recordCount, leaderEpoch, producerId, producerEpoch, baseSequence, isTransactional, marker: markerIn(batch) }
}

/** What is not whole is seen as an empty value. Control batches have nothing for anybody. */
export function sightingsIn(batch: RecordBatch): Sighting[] {
  try {
    return recordsIn(batch).map(({ offset, key, value, headers }) => {
      const named = value ?? headers.find(([name]) => name === tombstoneHeader)?.[1] ?? null
      return { offset, value: nameOf(named), ...(key === null ? {} : { key: key.toString() }), ...(value === null ? { isTombstone: true } : {}) }
    })
  } catch {
    return [{ offset: batch.baseOffset, value: '' }]
  }
}

/** The key of its only record is version and type (KIP-98). */
function markerIn({ isControl, recordCount, payload }: RecordBatch): LoggedBatch['marker'] {
  if (!isControl || recordCount === 0) return undefined
  let position = 0
  const skipVarint = () => {
    while (payload.readUInt8(position++) >= 0x80);
  }
  skipVarint()
  // Attributes; then the deltas of time and offset, and the length of the key.
  position++
  for (let varints = 0; varints < 3; varints++) skipVarint()
  const kind = payload.readInt16BE(position + 2)
  return kind === 1 ? 'commit' : kind === 0 ? 'abort' : undefined
}

/** What a reader of committed records leaves out, as clients do it: by the list that came with the records. */
export function withoutAborted(
  batches: readonly RecordBatch[], aborted: readonly { readonly producerId: number; readonly firstOffset: number }[],
): RecordBatch[] {
  const due = aborted.toSorted((one, other) => one.firstOffset - other.firstOffset)
  const open = new Set<number>()
  let next = 0
  return batches.filter((batch) => {
    for (; next < due.length && due[next]!.firstOffset <= batch.lastOffset; next++) open.add(due[next]!.producerId)
    if (markerIn(batch) === 'abort') open.delete(batch.producerId)
    return !batch.isControl && !(batch.isTransactional && open.has(batch.producerId))
  })
}
