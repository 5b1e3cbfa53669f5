// Keeps a log's files in order behind the writer's back: what is made at a seal, checkpoints, the log start, and what is
// taken away. None of it stands in the way of an append, and a crash at any point costs a longer recovery at most.

import type { Clock } from '../runtime/clock.ts'
import { encodeChecked } from './checked-file.ts'
import type { EpochCache } from './epoch-cache.ts'
import type { LogConfig } from './log-config.ts'
import type { LogFiles } from './log-files.ts'
import { planLogStart } from './log-retention.ts'
import { ProducerState } from './producer-state.ts'
import type { SealedSegment, SegmentSections } from './sealed-segment.ts'
import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'

export interface KeeperOptions {
  readonly files: LogFiles
  readonly clock: Clock
  readonly segments: SegmentList
  readonly epochs: EpochCache
  /** As of what is written. */
  readonly producers: ProducerState
  readonly logStartOffset: number
  durableOffset(): number
  onFault(cause: unknown): void
  onSyncFailed(cause: unknown): void
}

export class LogKeeper {
  readonly #options: KeeperOptions
  #logStartOffset: number
  /** Sealed segments whose index, producers and sync are done. */
  readonly #settled = new Set<Segment>()
  #checkpointed = -1
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#logStartOffset = options.logStartOffset
    for (const segment of options.segments.all.slice(0, -1)) {
      this.#settled.add(segment)
      segment.sealedAt = options.clock.now()
    }
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** From here on the files are in use: an end without `end` is a crash. */
  async begin(): Promise<void> {
    for (const segment of this.#settled) await segment.writeIndex()
    await this.#options.files.writeEpochs(this.#options.epochs.starts)
    await this.#writeCheckpoint()
  }

  /** A segment was sealed: makes its index, syncs it, and takes down the producers as of its end. */
  seal(segment: Segment, endOffset: number): void {
    segment.sealedAt = this.#options.clock.now()
    const producers = ProducerState.restore(this.#options.producers.snapshot())
    void this.#inTurn(async () => {
      await this.#sync(segment)
      await segment.writeIndex()
      await this.#options.files.writeProducers(endOffset, producers)
      await this.#options.files.writeEpochs(this.#options.epochs.starts)
      this.#settled.add(segment)
      await this.#writeCheckpoint()
    })
  }

  async #sync(segment: Segment): Promise<void> {
    const file = await segment.acquire()
    try {
      await file.sync()
    } catch (cause) {
      this.#options.onSyncFailed(cause)
      throw cause
    } finally {
      segment.release()
    }
  }

  sealedSegments(): SealedSegment[] {
    const { segments, files, epochs } = this.#options
    return segments.all.filter((segment) => this.#settled.has(segment)).map((segment) => {
      const endOffset = segments.endOffsetOf(segment)
      return {
        baseOffset: segment.baseOffset, endOffset, bytes: segment.bytes, maxTimestamp: segment.maxTimestamp,
        sealedAt: segment.sealedAt ?? 0, path: segment.path,
        sections: () => sectionsOf({ segment, endOffset, files, epochs }),
      }
    })
  }

  advanceLogStart(offset: number): Promise<void> {
    return this.#mustInTurn(async () => {
      if (offset <= this.#logStartOffset) return
      const before = this.#logStartOffset
      this.#logStartOffset = offset
      try {
        await this.#writeCheckpoint()
      } catch (cause) {
        this.#logStartOffset = before
        throw cause
      }
      await this.#drop(offset)
    })
  }

  evictBelow(offset: number): Promise<void> {
    return this.#mustInTurn(() => this.#drop(offset))
  }

  /** Off the list first, so that no new read finds it; the files after. */
  async #drop(offset: number): Promise<void> {
    const { segments, files } = this.#options
    const dropped = segments.takeBelow(offset)
    if (dropped.length === 0) return
    for (const segment of dropped) {
      this.#settled.delete(segment)
      await segment.remove()
    }
    this.#options.epochs.truncateFromStart(this.#logStartOffset)
    const first = segments.all[0]!.baseOffset
    await files.removeProducers((at) => at >= first)
    await this.#writeCheckpoint()
  }

  async retain(now: { readonly isClockTrusted: boolean; readonly wallMs: number }, config: LogConfig): Promise<void> {
    const active = this.#options.segments.active
    const start = planLogStart(this.sealedSegments(), {
      wallMs: now.wallMs, openBytes: active?.bytes ?? 0, logStartOffset: this.#logStartOffset,
    }, { retentionMs: now.isClockTrusted ? config.retentionMs : -1, retentionBytes: config.retentionBytes })
    if (start > this.#logStartOffset) await this.advanceLogStart(start)
    else await this.evictBelow(this.#logStartOffset)
  }

  /** Gives back files and indexes that were not used since the last look, and takes down what became durable. */
  rest(): void {
    for (const segment of this.#settled) segment.rest()
    if (this.#options.durableOffset() !== this.#checkpointed) void this.#inTurn(() => this.#writeCheckpoint())
  }

  async end({ isClean }: { readonly isClean: boolean }): Promise<void> {
    const { segments, files, producers, epochs, durableOffset } = this.#options
    await this.#inTurn(async () => {
      const active = segments.active
      if (isClean && active !== undefined) {
        await this.#sync(active)
        await active.writeIndex()
        await files.writeProducers(durableOffset(), producers)
        await files.writeEpochs(epochs.starts)
        await this.#writeCheckpoint({ endOffset: durableOffset(), activeBytes: active.bytes })
      }
    })
    for (const segment of segments.all) await segment.close()
  }

  async #writeCheckpoint(clean: { endOffset: number; activeBytes: number } | null = null): Promise<void> {
    const { files, segments, durableOffset } = this.#options
    const sealed = segments.all.filter((segment) => this.#settled.has(segment))
      .map((segment) => [segment.baseOffset, segment.bytes, segment.maxTimestamp, segment.abortedCount] as const)
    const durable = durableOffset()
    await files.writeCheckpoint({ version: 1, logStartOffset: this.#logStartOffset, durableOffset: durable, sealed, clean })
    this.#checkpointed = durable
  }

  #mustInTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    return this.#mustInTurn(run).catch((cause: unknown) => this.#options.onFault(cause))
  }
}

async function sectionsOf(of: {
  readonly segment: Segment; readonly endOffset: number; readonly files: LogFiles; readonly epochs: EpochCache
}): Promise<SegmentSections> {
  const index = await of.segment.index()
  const producers = await of.files.producersAt(of.endOffset)
  return {
    offsets: index.offsets.map((offset, at) => ({ offset, position: index.positions[at]! })),
    times: index.times,
    epochs: of.epochs.starts.filter(({ startOffset }) => startOffset < of.endOffset),
    producers: encodeChecked((producers ?? new ProducerState()).snapshot()),
    aborted: index.aborted,
  }
}
