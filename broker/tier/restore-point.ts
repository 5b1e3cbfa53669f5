import type { Manifest } from './manifest.ts'
import { decodeEpochs, type EpochEntry } from './object-sections.ts'
import { TierError } from './tier-error.ts'
import type { TierIo } from './tier-io.ts'

/**
 * Where a log begins whose disk is empty, or too short: at the end of the tier (KIP-1023). Offsets below are taken: a
 * log that began again at 0 would give them to other records.
 */
export interface RestorePoint {
  /** The next offset; the first one on the new disk. */
  readonly offset: number
  readonly logStartOffset: number
  /** The lineage up to `offset`. */
  readonly epochs: readonly EpochEntry[]
  /** Producer state as of `offset`, in log/'s own format. */
  readonly producers: Buffer
}

/** Undefined: nothing is in the tier. Throws `TierError`: nothing may begin then, as nobody knows where. */
export async function restorePoint(manifest: Manifest, io: TierIo): Promise<RestorePoint | undefined> {
  const head = await manifest.refresh()
  if (head === undefined || (head.tieredEnd === 0 && head.logStart === 0)) return undefined
  const offset = Math.max(head.tieredEnd, head.logStart)
  const row = head.segments === 0 ? undefined : await manifest.floor(head.tieredEnd - 1)
  // Retention may have taken all of it: the offset is what is left.
  if (row === undefined && head.segments === 0) return { offset, logStartOffset: offset, epochs: [], producers: Buffer.alloc(0) }
  if (row?.endOffset !== head.tieredEnd) throw new TierError('damaged', `no row of the manifest ends at ${head.tieredEnd}`)
  const [epochs, producers] = await io.sections(row, ['epochs', 'producers'])
  return { offset, logStartOffset: head.logStart, epochs: decodeEpochs(epochs!), producers: producers! }
}
