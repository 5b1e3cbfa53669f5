import type { LastOfProducer } from '../../compaction/batch-filter.ts'
import { decodeChecked } from '../../log/checked-file.ts'
import type { ProducerState } from '../../log/producer-state.ts'
import type { AbortedTransaction } from '../../log/sealed-segment.ts'
import {
  type ChunkChecksums, decodeAborted, decodeChecksums, decodeEpochs, distinctAborted, type EpochEntry, type SectionKind,
} from '../object-sections.ts'
import type { TieredSegment } from '../tiered-segment.ts'

/** The bytes of some sections, checked, in the order of `kinds`. */
export type SectionsOf = (row: TieredSegment, kinds: readonly SectionKind[]) => Promise<Buffer[]>

/** What compaction needs of an object beside its batches. */
export interface RowSections {
  readonly aborted: readonly AbortedTransaction[]
  readonly checksums: ChunkChecksums
  readonly epochs: readonly EpochEntry[]
  readonly producers: Buffer
}

export async function rowSections(sectionsOf: SectionsOf, row: TieredSegment): Promise<RowSections> {
  const [aborted, checksums, epochs, producers] = await sectionsOf(row, ['aborted', 'checksums', 'epochs', 'producers'])
  return {
    aborted: decodeAborted(aborted!), checksums: decodeChecksums(checksums!, row), epochs: decodeEpochs(epochs!), producers: producers!,
  }
}

export async function rowChecksums(sectionsOf: SectionsOf, row: TieredSegment): Promise<ChunkChecksums> {
  const [checksums] = await sectionsOf(row, ['checksums'])
  return decodeChecksums(checksums!, row)
}

/** Aborted transactions of all these rows, each once. Rows without any are not asked. */
export async function abortedOf(sectionsOf: SectionsOf, rows: readonly TieredSegment[]): Promise<AbortedTransaction[]> {
  const found: AbortedTransaction[] = []
  for (const row of rows) {
    if (row.sections.some(({ kind, length }) => kind === 'aborted' && length > 0)) {
      found.push(...decodeAborted((await sectionsOf(row, ['aborted']))[0]!))
    }
  }
  return distinctAborted(found)
}

/** What a snapshot of producers says at the end of a row. Where there is none, or it cannot be read, nothing is known of them. */
export interface ProducersAtEnd {
  readonly last: ReadonlyMap<number, LastOfProducer>
  /** Producers whose transaction is open there. */
  readonly open: readonly number[]
}

export function producersAtEnd(section: Buffer): ProducersAtEnd {
  const snapshot = decodeChecked<ReturnType<ProducerState['snapshot']>>(section)?.value ?? []
  const last = new Map<number, LastOfProducer>()
  const open: number[] = []
  for (const [producerId, epoch, , , , transactionStart, batches] of snapshot) {
    const end = batches.at(-1)?.[3]
    last.set(producerId, { epoch, lastDataOffset: end === undefined ? -1 : end - 1 })
    if (transactionStart >= 0) open.push(producerId)
  }
  return { last, open }
}
