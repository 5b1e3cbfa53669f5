import type { AbortedTransaction } from '../log/sealed-segment.ts'
import { TierError } from './tier-error.ts'
import type { TieredPartition, TimestampSearched } from './tiered-partition.ts'

export interface ColdTierRange {
  readonly offset: number
  readonly endOffset: number
  readonly bytesMax: number
  readonly minOneBatch: boolean
  /** Monotonic milliseconds. */
  readonly deadline: number
}

export interface ColdTierBatches {
  readonly buffers: readonly Buffer[]
  readonly aborted: readonly AbortedTransaction[]
  /** Gives the memory of `buffers` back once nobody can see it any more. */
  release(): void
}

/** Nothing is left at the offset that was asked for, nor behind it before this one. */
export interface ColdTierGap {
  readonly nextOffset: number
}

/**
 * A tiered partition as who serves clients wants it: `pending` and `unavailable` instead of reasons, and nothing that
 * is thrown. Fits `ColdTier` of `replication/`, which stands beside this folder and is not imported.
 */
export class ColdTierView {
  readonly #partition: TieredPartition
  readonly #onFault: (error: TierError) => void

  constructor(partition: TieredPartition, onFault: (error: TierError) => void) {
    this.#partition = partition
    this.#onFault = onFault
  }

  /** Undefined where nothing is there, or nothing is known yet. */
  get endOffset(): number | undefined {
    return this.#partition.isReady && this.#partition.tieredEnd > 0 ? this.#partition.tieredEnd : undefined
  }

  get bytes(): number {
    return this.#partition.bytes
  }

  async read(range: ColdTierRange): Promise<ColdTierBatches | ColdTierGap | 'pending' | 'unavailable'> {
    const { deadline: deadlineMs, ...request } = range
    const result = await this.#partition.read({ ...request, deadlineMs })
    switch (result.kind) {
      case 'batches': return { buffers: result.batches, aborted: result.aborted, release: result.release }
      // The log's start is about to follow, if it has not yet: the caller looks again.
      case 'below start': return 'pending'
      case 'pending': return 'pending'
      case 'refused': return 'unavailable'
      case 'local': {
        // What was there up to the end of the tier is gone; the disk may have left behind no more than that.
        if (result.nextOffset > range.offset) return { nextOffset: result.nextOffset }
        // Nothing is evicted that the manifest does not name, so this says that the manifest was lost, and not "empty".
        this.#onFault(new TierError('missing', `offset ${range.offset} is neither on disk nor in the manifest`))
        return 'unavailable'
      }
    }
  }

  offsetForTimestamp(timestamp: number, startOffset: number): Promise<TimestampSearched | 'unavailable'> {
    return this.#unlessAway(this.#partition.searchTimestamp(timestamp, startOffset))
  }

  maxTimestamp(range: { readonly startOffset: number; readonly endOffset: number }): Promise<TimestampSearched | 'unavailable'> {
    return this.#unlessAway(this.#partition.searchMaxTimestamp(range))
  }

  /** Throws `TierError`, as the start must be the same for the next leader. */
  advanceLogStart(offset: number): Promise<void> {
    return this.#partition.advanceLogStart(offset)
  }

  async #unlessAway<T>(search: Promise<T>): Promise<T | 'unavailable'> {
    try {
      return await search
    } catch (cause) {
      this.#onFault(cause as TierError)
      return 'unavailable'
    }
  }
}
