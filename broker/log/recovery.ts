// Makes a log of what is on disk. After an orderly end the checkpoint is believed. Otherwise every segment that is not
// known to be synced is read and checked batch by batch, and what is torn at the very end is cut off:
//
//   |-- sealed, synced: believed --|-- scanned: checksum, order, producers, epochs --|torn|
//
// Cutting is for bytes that were never acknowledged. Damage below what is known to be durable, in a sealed segment, or
// before batches that are whole is none of that: the log is left as it is and refuses to open (`LogError` quarantined).

import type { Disk } from '../runtime/disk.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { scanBatches } from './batch-scan.ts'
import { EpochCache } from './epoch-cache.ts'
import { LogError } from './log-error.ts'
import { type Checkpoint, LogFiles } from './log-files.ts'
import { markerIn } from './marker.ts'
import { ProducerState } from './producer-state.ts'
import { Segment, type SegmentOptions } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'
import { isTornTail } from './torn-tail.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly directory: string
  readonly files: LogFiles
  readonly indexIntervalBytes: number
  /** Wall clock, milliseconds: when producers are taken to have been heard of. */
  readonly now: number
}

export interface Recovered {
  /** In order; the last one is open. Empty: a new log. */
  readonly segments: Segment[]
  readonly producers: ProducerState
  readonly epochs: EpochCache
  readonly logStartOffset: number
  readonly endOffset: number
  readonly durableOffset: number
  /** Bytes that were cut off. */
  readonly tornBytes: number
}

/** Throws `LogError` where the files contradict themselves, `DiskError` where they cannot be read. */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { files } = options
  const offsets = await files.segmentOffsets()
  const read = await files.readCheckpoint()
  const checkpoint = read.state === 'read' ? read.value : undefined
  if (offsets.length === 0) return emptyLog(options, checkpoint)
  const epochs = await files.readEpochs()
  const snapshot = await files.readProducers(Infinity)
  const recovery = new Recovery(options, { offsets, checkpoint, epochs: epochs.state === 'read' ? epochs.value : undefined })
  return recovery.run(snapshot)
}

function emptyLog({ directory }: RecoveryOptions, checkpoint: Checkpoint | undefined): Recovered {
  const start = checkpoint?.logStartOffset ?? 0
  if (checkpoint !== undefined && checkpoint.durableOffset > start) {
    throw new LogError('quarantined', directory, `records up to ${checkpoint.durableOffset} were durable, and no segment is there`)
  }
  return {
    segments: [], producers: new ProducerState(), epochs: new EpochCache(), logStartOffset: start, endOffset: start,
    durableOffset: start, tornBytes: 0,
  }
}

interface Found {
  readonly offsets: readonly number[]
  readonly checkpoint: Checkpoint | undefined
  readonly epochs: readonly { readonly epoch: number; readonly startOffset: number }[] | undefined
}

class Recovery {
  readonly #options: RecoveryOptions
  readonly #found: Found
  readonly #epochs: EpochCache
  #producers = new ProducerState()
  /** Batches below are in the producer state already. */
  #producersFrom = 0
  #tornBytes = 0

  constructor(options: RecoveryOptions, found: Found) {
    this.#options = options
    this.#found = found
    this.#epochs = new EpochCache(found.epochs)
  }

  async run(snapshot: { readonly offset: number; readonly state: ProducerState } | undefined): Promise<Recovered> {
    const { offsets, checkpoint } = this.#found
    const clean = checkpoint?.clean ?? undefined
    const sealed = new Map(checkpoint?.sealed.map(([base, bytes, maxTimestamp, abortedCount]) => [base, { bytes, maxTimestamp, abortedCount }]))
    const isBelieved = clean !== undefined && snapshot?.offset === clean.endOffset && this.#found.epochs !== undefined
    if (snapshot !== undefined) {
      this.#producers = snapshot.state
      this.#producersFrom = snapshot.offset
    }
    const segments: Segment[] = []
    let endOffset = offsets[0]!
    for (const [index, baseOffset] of offsets.entries()) {
      if (baseOffset !== endOffset && index > 0) this.#refuse(`segment ${baseOffset} follows offset ${endOffset}`)
      const isLast = index === offsets.length - 1
      const known = sealed.get(baseOffset)
      const size = await this.#size(baseOffset)
      const next = offsets[index + 1]
      const needsScan = this.#found.epochs === undefined || (next ?? Infinity) > this.#producersFrom
      if (isBelieved && isLast && size === clean.activeBytes) {
        segments.push(await this.#believeActive(baseOffset, size))
        endOffset = clean.endOffset
      } else if (!isLast && known?.bytes === size && (isBelieved || !needsScan)) {
        segments.push(this.#segment(baseOffset, { ...known, index: undefined }))
        endOffset = next!
      } else {
        const scanned = await this.#scan(baseOffset, { size, isLast })
        segments.push(scanned.segment)
        endOffset = scanned.endOffset
        if (!isLast && endOffset >= this.#producersFrom) await this.#options.files.writeProducers(endOffset, this.#producers)
      }
    }
    return this.#finish(segments, endOffset)
  }

  #finish(segments: Segment[], endOffset: number): Recovered {
    const { checkpoint, offsets } = this.#found
    if (checkpoint !== undefined && checkpoint.durableOffset > endOffset) {
      this.#refuse(`records up to ${checkpoint.durableOffset} were durable, and the log ends at ${endOffset}`)
    }
    this.#epochs.truncateFromEnd(endOffset)
    return {
      segments, producers: this.#producers, epochs: this.#epochs, endOffset, durableOffset: endOffset,
      logStartOffset: Math.min(checkpoint?.logStartOffset ?? offsets[0]!, endOffset), tornBytes: this.#tornBytes,
    }
  }

  async #believeActive(baseOffset: number, bytes: number): Promise<Segment> {
    const segment = this.#segment(baseOffset, { bytes, maxTimestamp: -1, abortedCount: 0, index: undefined })
    const index = await segment.index()
    segment.maxTimestamp = index.maxTimestamp
    segment.abortedCount = index.aborted.length
    return segment
  }

  /** Reads a segment batch by batch, and cuts off what is torn where it is the last one. */
  async #scan(baseOffset: number, { size, isLast }: { size: number; isLast: boolean }): Promise<{ segment: Segment; endOffset: number }> {
    const index = new SegmentIndex()
    const segment = this.#segment(baseOffset, { bytes: size, maxTimestamp: -1, abortedCount: 0, index })
    const file = await segment.acquire()
    try {
      let endOffset = baseOffset
      let position = 0
      for await (const { batch, position: at } of scanBatches({ file, start: 0, end: size })) {
        const isGood = batch.magic === 2 && batch.isIntact() && (batch.baseOffset === endOffset || (batch.baseOffset > endOffset && !isLast))
        if (!isGood) break
        this.#take(batch, index, at)
        endOffset = batch.endOffset
        position = at + batch.length
      }
      if (position < size) {
        const durableOffset = this.#found.checkpoint?.durableOffset ?? 0
        const isTorn = isLast && endOffset >= durableOffset && (await isTornTail({ file, position, size, endOffset }))
        if (!isTorn) this.#refuse(`${segment.path} is damaged at byte ${position}, offset ${endOffset}`)
        await file.truncate(position)
        this.#tornBytes += size - position
        segment.bytes = position
      }
      // What a crash of the process alone has left in the page cache may still be lost with the power.
      await file.sync()
      segment.maxTimestamp = index.maxTimestamp
      segment.abortedCount = index.aborted.length
      return { segment, endOffset }
    } finally {
      segment.release()
    }
  }

  #take(batch: RecordBatch, index: SegmentIndex, position: number): void {
    index.note(batch, { position, intervalBytes: this.#options.indexIntervalBytes })
    this.#epochs.note(batch.leaderEpoch, batch.baseOffset)
    if (batch.baseOffset < this.#producersFrom) return
    const aborted = this.#producers.apply(batch, { now: this.#options.now, marker: markerIn(batch) })
    if (aborted !== undefined) index.aborted.push(aborted)
  }

  #segment(baseOffset: number, known: Omit<SegmentOptions, 'disk' | 'directory' | 'baseOffset'>): Segment {
    return new Segment({ disk: this.#options.disk, directory: this.#options.directory, baseOffset, ...known })
  }

  async #size(baseOffset: number): Promise<number> {
    const { disk } = this.#options
    const { path } = this.#segment(baseOffset, { bytes: 0, maxTimestamp: -1, abortedCount: 0, index: undefined })
    return (await disk.size(path)) ?? 0
  }

  #refuse(problem: string): never {
    throw new LogError('quarantined', this.#options.directory, problem)
  }
}
