// Makes a log of what is on disk. After an orderly end the checkpoint is believed. Otherwise every segment that is not
// known to be synced is read and checked batch by batch, and what is torn at the very end is cut off:
//
//   |-- sealed, synced: believed --|-- scanned: checksum, order, producers, epochs --|torn|
//                                  ^ a snapshot of the producers as of here
//
// Cutting is for bytes that were never acknowledged, or, where appends are not synced, that other replicas hold. Damage
// below what is known to be durable, in a segment that was synced, or before batches that are whole is none of that: the
// log is left as it is and refuses to open (`LogError` quarantined; docs/operations.md says how an operator goes on).

import { basename } from 'node:path'
import type { Disk } from '../runtime/disk.ts'
import { EpochCache, type EpochStart } from './epoch-cache.ts'
import { LogError } from './log-error.ts'
import type { Checkpoint, CheckpointedSegment, Cleaning, LogFiles } from './log-files.ts'
import { ProducerState } from './producer-state.ts'
import { Segment } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import { scanSegment } from './segment-scan.ts'
import { isTornTail } from './torn-tail.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly directory: string
  readonly files: LogFiles
  readonly indexIntervalBytes: number
  /** The topic is compacted: where no checkpoint says otherwise, offsets may be missing. */
  readonly mayHaveGaps: boolean
  /** Wall clock, milliseconds: when producers are taken to have been heard of. */
  readonly now: number
}

export interface Recovered {
  /** In order; the last one is open. Empty: a new log. */
  readonly segments: readonly Segment[]
  readonly producers: ProducerState
  readonly epochs: EpochCache
  readonly logStartOffset: number
  /** All of it is synced. */
  readonly endOffset: number
  /** Bytes that were cut off. */
  readonly tornBytes: number
  /** New, or closed in order: nothing that was ever in it is missing. */
  readonly wasClean: boolean
  readonly cleaning: Cleaning
}

const neverCleaned: Cleaning = { cleanedOffset: 0, hasGaps: false }

/** Throws `LogError` where the files contradict themselves, `DiskError` where they cannot be read. */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { files, directory } = options
  const checkpoint = await files.readCheckpoint()
  // It was agreed upon before the crash, whatever else is wrong with the log.
  if (checkpoint?.swap !== undefined) await files.finishSwap(checkpoint.swap)
  const offsets = await files.segmentOffsets()
  if (checkpoint?.fresh) return startOver(options, checkpoint, offsets)
  const epochs = await files.readEpochs()
  if (offsets.length > 0) return new Recovery(options, { offsets, checkpoint, epochs }).run()
  const start = checkpoint?.logStartOffset ?? 0
  if (checkpoint !== undefined && checkpoint.durableOffset > start) {
    throw new LogError('quarantined', directory, `records up to ${checkpoint.durableOffset} were durable, and no segment is there`)
  }
  return emptyLog(checkpoint, { epochs, producers: await files.readProducers(start) })
}

/**
 * Ends what `startFresh` began: the segments are those of the log before. The new one gets its first segment at once,
 * empty: what lies below it is elsewhere, and without a segment nothing would say where this disk's part begins.
 */
async function startOver(
  { disk, directory, files }: RecoveryOptions, checkpoint: Checkpoint, offsets: readonly number[],
): Promise<Recovered> {
  const { epochs, producers, logStartOffset } = checkpoint.fresh!
  const start = checkpoint.logStartOffset
  const state = ProducerState.restore(producers)
  await files.removeSegments(offsets)
  await files.removeProducers(() => false)
  await files.writeProducers(start, state)
  const fresh = emptyLog(checkpoint, { epochs, producers: state })
  if (logStartOffset === start) return fresh
  const list = new SegmentList({ disk, directory, segments: [] })
  const segment = await list.create(start)
  await list.syncDirectory()
  return { ...fresh, segments: [segment], logStartOffset }
}

function emptyLog(
  checkpoint: Checkpoint | undefined,
  found: { readonly epochs: readonly EpochStart[] | undefined; readonly producers: ProducerState | undefined },
): Recovered {
  const start = checkpoint?.logStartOffset ?? 0
  return {
    segments: [], producers: found.producers ?? new ProducerState(), epochs: new EpochCache(found.epochs), logStartOffset: start,
    endOffset: start, tornBytes: 0, wasClean: checkpoint === undefined || checkpoint.clean !== null,
    cleaning: checkpoint?.cleaning ?? neverCleaned,
  }
}

interface Found {
  readonly offsets: readonly number[]
  readonly checkpoint: Checkpoint | undefined
  /** Undefined: made anew of the batches. */
  readonly epochs: readonly EpochStart[] | undefined
}

class Recovery {
  readonly #options: RecoveryOptions
  readonly #found: Found
  readonly #sealed: ReadonlyMap<number, CheckpointedSegment>
  readonly #epochs: EpochCache
  readonly #cleaning: Cleaning
  readonly #segments: Segment[] = []
  /** What is to be done to the files, in order, once nothing speaks against opening them. */
  readonly #repairs: (() => Promise<void>)[] = []
  #producers = new ProducerState()
  #endOffset: number
  #tornBytes = 0

  constructor(options: RecoveryOptions, found: Found) {
    this.#options = options
    this.#found = found
    this.#sealed = new Map(found.checkpoint?.sealed.map((one) => [one[0], one]))
    this.#epochs = new EpochCache(found.epochs)
    // Somebody has taken the checkpoint away, to have everything read again.
    const isUnknown = found.checkpoint === undefined && options.mayHaveGaps
    this.#cleaning = found.checkpoint?.cleaning ?? { ...neverCleaned, hasGaps: isUnknown }
    this.#endOffset = found.offsets[0]!
  }

  /** What is opened for it is closed again where it fails: whoever tries it every few seconds would run out of files. */
  async run(): Promise<Recovered> {
    try {
      return await this.#run()
    } catch (cause) {
      for (const segment of this.#segments) await segment.close()
      throw cause
    }
  }

  async #run(): Promise<Recovered> {
    const { offsets } = this.#found
    const believed = await this.#believeSealed()
    const active = believed.length === offsets.length - 1 ? await this.#believeActive() : undefined
    if (active !== undefined) {
      this.#segments.push(...believed, active)
      this.#endOffset = this.#found.checkpoint!.clean!.endOffset
      return this.#finish({ wasClean: true })
    }
    const start = await this.#restoreProducers(this.#found.epochs === undefined ? 0 : believed.length)
    this.#segments.push(...believed.slice(0, start))
    this.#endOffset = offsets[start]!
    for (let index = start; index < offsets.length; index++) {
      const isCut = await this.#scan(index)
      if (isCut) break
    }
    return this.#finish({ wasClean: false })
  }

  /** The first segments, as far as each is what the checkpoint says. The last one is never among them. */
  async #believeSealed(): Promise<Segment[]> {
    const { offsets } = this.#found
    const believed: Segment[] = []
    for (const [index, baseOffset] of offsets.slice(0, -1).entries()) {
      const known = this.#sealed.get(baseOffset)
      if (known === undefined) break
      const [, endOffset, bytes, maxTimestamp, abortedCount] = known
      const segment = new Segment({ ...this.#options, baseOffset, bytes, maxTimestamp, abortedCount, index: undefined })
      const isThere = endOffset === offsets[index + 1] && (await this.#options.disk.size(segment.path)) === bytes
      // Which transactions were aborted cannot be told from one segment alone.
      if (!isThere || (abortedCount > 0 && !(await segment.loadIndex()))) break
      believed.push(segment)
    }
    return believed
  }

  /** The last segment after an orderly end, where all that belongs to it is there. */
  async #believeActive(): Promise<Segment | undefined> {
    const { offsets, checkpoint, epochs } = this.#found
    if (!checkpoint?.clean || epochs === undefined) return undefined
    const { activeOffset, activeBytes, endOffset } = checkpoint.clean
    if (activeOffset !== offsets.at(-1)) return undefined
    const segment = new Segment({
      ...this.#options, baseOffset: activeOffset, bytes: activeBytes, maxTimestamp: -1, abortedCount: 0, index: undefined,
    })
    if ((await this.#options.disk.size(segment.path)) !== activeBytes || !(await segment.loadIndex())) return undefined
    const producers = await this.#options.files.readProducers(endOffset)
    if (producers === undefined) return undefined
    this.#producers = producers
    return segment
  }

  /** From which segment on producers have to be made anew of the batches: one that has a snapshot, or the first one. */
  async #restoreProducers(last: number): Promise<number> {
    for (let index = last; index >= 0; index--) {
      const producers = await this.#options.files.readProducers(this.#found.offsets[index]!)
      if (producers === undefined) continue
      this.#producers = producers
      return index
    }
    return 0
  }

  /** Reads a segment batch by batch. True: it was cut, and none follows. */
  async #scan(index: number): Promise<boolean> {
    const { files, disk } = this.#options
    const { offsets } = this.#found
    const next = offsets[index + 1]
    const { hasGaps } = this.#cleaning
    const state = { epochs: this.#epochs, producers: this.#producers }
    const scanned = await scanSegment({ ...this.#options, ...state, baseOffset: offsets[index]!, hasGaps, endOffsetMax: next ?? Infinity })
    const { segment, endOffset, size } = scanned
    this.#endOffset = endOffset
    this.#segments.push(segment)
    const isWhole = segment.bytes === size && (next === undefined || next === endOffset || hasGaps)
    if (!isWhole && !(await this.#isLoss(scanned, index))) {
      this.#refuse(`${basename(segment.path)} is damaged at byte ${segment.bytes} of ${size}, offset ${endOffset}`)
    }
    if (!isWhole) {
      for (const offset of offsets.slice(index + 1)) this.#tornBytes += (await disk.size(files.segmentPath(offset))) ?? 0
      this.#tornBytes += size - segment.bytes
      this.#repairs.push(() => files.removeSegments(offsets.slice(index + 1)))
    }
    // What a crash of the process alone has left in the page cache may still be lost with the power.
    this.#repairs.push(async () => segment.settle(await this.#rewriting(segment)))
    if (isWhole && next !== undefined && (await files.readProducers(next)) === undefined) {
      const producers = this.#producers.copy()
      this.#repairs.push(() => files.writeProducers(next, producers))
    }
    return !isWhole
  }

  /** Where appends are synced, a sync may have failed: of what came since the checkpoint nothing is certain. */
  async #rewriting(segment: Segment): Promise<{ readonly rewriteFrom?: number }> {
    const { durableOffset = 0, isSynced = true } = this.#found.checkpoint ?? {}
    if (!isSynced || durableOffset >= this.#endOffset) return {}
    return { rewriteFrom: (await segment.index()).positionBefore(durableOffset) }
  }

  /** Whether what is missing behind a scanned segment's last good batch may be missing. */
  async #isLoss(
    scanned: { readonly segment: Segment; readonly endOffset: number; readonly size: number }, index: number,
  ): Promise<boolean> {
    const { checkpoint, offsets } = this.#found
    const { segment, endOffset, size } = scanned
    const isLast = index === offsets.length - 1
    if (endOffset < (checkpoint?.durableOffset ?? 0) || this.#sealed.has(segment.baseOffset)) return false
    if (!isLast && checkpoint?.isSynced !== false) return false
    if (segment.bytes === size) return true
    const file = await segment.acquire()
    try {
      return await isTornTail({ file, position: segment.bytes, size, endOffset })
    } finally {
      segment.release()
    }
  }

  async #finish({ wasClean }: { readonly wasClean: boolean }): Promise<Recovered> {
    const { checkpoint, offsets } = this.#found
    const endOffset = this.#endOffset
    if (checkpoint !== undefined && Math.max(checkpoint.durableOffset, checkpoint.logStartOffset) > endOffset) {
      this.#refuse(`records up to ${checkpoint.durableOffset} were durable, and the log ends at ${endOffset}`)
    }
    for (const repair of this.#repairs) await repair()
    this.#epochs.truncateFromEnd(endOffset)
    const active = this.#segments.at(-1)!
    // When it was first written to nobody knows: its age counts from now on.
    if (active.bytes > 0) active.firstAppendAt = this.#options.now
    return {
      segments: this.#segments, producers: this.#producers, epochs: this.#epochs, endOffset, tornBytes: this.#tornBytes, wasClean,
      logStartOffset: checkpoint?.logStartOffset ?? offsets[0]!, cleaning: this.#cleaning,
    }
  }

  #refuse(problem: string): never {
    throw new LogError('quarantined', this.#options.directory, problem)
  }
}
