// The index of one tiered segment, in memory: fetched in one request and kept as long as there is room.

import type { AbortedTransaction } from '../log/sealed-segment.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { crc32c } from '../protocol/crc32c.ts'
import type { Clock } from '../runtime/clock.ts'
import { FillCache } from './fill-cache.ts'
import { sectionIn } from './object-format.ts'
import {
  type ChunkChecksums, decodeAborted, decodeChecksums, decodeOffsets, decodeTimes, type OffsetEntry, type SectionKind,
  type TimeEntry,
} from './object-sections.ts'
import { TierError } from './tier-error.ts'
import type { TieredSegment } from './tiered-segment.ts'
import { callWithin } from './within.ts'

/** Positions where readers stopped, which is where they go on; a handful is enough for those who read abreast. */
const resumesMax = 16

export interface SegmentIndexSections {
  readonly offsets: readonly OffsetEntry[]
  readonly times: readonly TimeEntry[]
  readonly aborted: readonly AbortedTransaction[]
  readonly checksums: ChunkChecksums
  readonly batchesBytes: number
}

export class SegmentIndex {
  readonly #offsets: readonly OffsetEntry[]
  readonly #times: readonly TimeEntry[]
  readonly #aborted: readonly AbortedTransaction[]
  readonly #checksums: ChunkChecksums
  readonly #batchesBytes: number
  readonly #resumes = new Map<number, number>()

  constructor(sections: SegmentIndexSections) {
    this.#offsets = sections.offsets
    this.#times = sections.times
    this.#aborted = sections.aborted
    this.#checksums = sections.checksums
    this.#batchesBytes = sections.batchesBytes
  }

  /** Where a batch begins from which the one with `offset` is not far; its own beginning where a reader stopped there. */
  positionOf(offset: number): number {
    return this.#resumes.get(offset) ?? last(this.#offsets, (entry) => entry.offset <= offset)?.position ?? 0
  }

  /** Remembers that the batch behind the one that ends at `offset` begins at `position`. */
  resumeAt(offset: number, position: number): void {
    this.#resumes.delete(offset)
    this.#resumes.set(offset, position)
    if (this.#resumes.size > resumesMax) this.#resumes.delete(this.#resumes.keys().next().value!)
  }

  /** No record before this offset has a timestamp of `timestamp` or later. Undefined: the index says nothing of it. */
  offsetBefore(timestamp: number): number | undefined {
    return last(this.#times, (entry) => entry.timestamp < timestamp)?.offset
  }

  /** Whether bytes from `position` of the batches on are those that were uploaded, as far as they are whole chunks. */
  matches(bytes: Buffer, position: number): boolean {
    const { chunkBytes, crcs } = this.#checksums
    const end = position + bytes.length
    for (let chunk = Math.ceil(position / chunkBytes); chunk < crcs.length; chunk++) {
      const start = chunk * chunkBytes
      const chunkEnd = Math.min(start + chunkBytes, this.#batchesBytes)
      if (chunkEnd > end) break
      if (crc32c(bytes.subarray(start - position, chunkEnd - position)) !== crcs[chunk]) return false
    }
    return true
  }

  /** The aborted transactions with records or marker in [start, end). */
  abortedIn({ start, end }: { readonly start: number; readonly end: number }): AbortedTransaction[] {
    return this.#aborted.filter((one) => one.firstOffset < end && one.lastOffset >= start)
  }
}

/** The last entry for which `holds`, which holds for a beginning of the list. */
function last<T>(entries: readonly T[], holds: (entry: T) => boolean): T | undefined {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(entries[middle]!)) low = middle + 1
    else high = middle
  }
  return entries[low - 1]
}

export interface SegmentIndexesOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  /** Bytes of indexes kept in memory, as they are in the objects. */
  readonly bytesMax: number
  readonly fetchTimeoutMs: number
  readonly failureHoldMs: number
}

const indexKinds: readonly SectionKind[] = ['offsets', 'times', 'aborted', 'checksums']

export class SegmentIndexes {
  readonly #options: SegmentIndexesOptions
  readonly #cache: FillCache<SegmentIndex>

  constructor(options: SegmentIndexesOptions) {
    this.#options = options
    this.#cache = new FillCache(options)
  }

  /** Throws `TierError`: `away`, `missing`, `damaged`. */
  load(segment: TieredSegment): Promise<SegmentIndex> {
    return this.#cache.get(segment.key, async () => {
      const [offsets, times, aborted, checksums] = await this.sections(segment, indexKinds)
      const index = new SegmentIndex({
        offsets: decodeOffsets(offsets!, segment), times: decodeTimes(times!, segment), aborted: decodeAborted(aborted!),
        checksums: decodeChecksums(checksums!, segment), batchesBytes: segment.batchesBytes,
      })
      // Four times what is in the object is about what the entries take as JavaScript objects.
      return { value: index, bytes: 4 * (offsets!.length + times!.length + aborted!.length) + 256 }
    })
  }

  /** The bytes of some sections, checked, in the order of `kinds`. Not cached. */
  async sections(segment: TieredSegment, kinds: readonly SectionKind[]): Promise<Buffer[]> {
    const { store, clock, fetchTimeoutMs } = this.#options
    const wanted = kinds.map((kind) => {
      const section = segment.sections.find((one) => one.kind === kind)
      if (section === undefined) throw new TierError('damaged', `${segment.key}: its row names no section ${kind}`)
      return section
    })
    const start = Math.min(...wanted.map((one) => one.position))
    const end = Math.max(...wanted.map((one) => one.position + one.length))
    const doing = `fetching the index of ${segment.key}`
    const bytes = await callWithin(
      doing, { clock, timeoutMs: fetchTimeoutMs }, (signal) => store.getRange(segment.key, { start, end }, signal)
    )
    if (bytes === undefined) throw new TierError('missing', `${doing}: there is no such object`)
    return wanted.map((section) => sectionIn(bytes, start, section))
  }
}
