import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AbortedTransaction, SealedSegment } from '../../broker/log/sealed-segment.ts'
import { batchesIn } from '../../broker/protocol/record-batch.ts'
import type { TierConfig, TierSource } from '../../broker/tier/tier-source.ts'

const keepAll: TierConfig = {
  isUploadEnabled: true, isDeleteEnabled: true, retentionMs: -1, retentionBytes: -1,
  localRetentionMs: -2, localRetentionBytes: -2,
}

export interface SealOptions {
  readonly sealedAt?: number
  readonly baseOffset?: number
  readonly endOffset?: number
  /** As of its end, in the log's own format. */
  readonly producers?: Buffer
}

/** A log of sealed segments in a directory, as the tier sees one, with everything open to the test. */
export class FakeLog implements TierSource {
  readonly topicId = 'tPcZrYzKQ0GQp6W1vHnK2A'
  readonly topicName = 'orders'
  readonly partition: number
  readonly #directory: string
  leaderEpoch = 5
  isFollower = false
  logStartOffset = 0
  stableOffset: number | undefined
  openBytes = 0
  settings: TierConfig = keepAll
  segments: SealedSegment[] = []
  aborted: AbortedTransaction[] = []
  /** What went through `seal`, for comparison: never dropped. */
  readonly history: Buffer[] = []
  readonly evictions: number[] = []

  constructor(directory: string, partition = 3) {
    this.#directory = directory
    this.partition = partition
  }

  get localStartOffset(): number {
    return this.segments[0]?.baseOffset ?? this.endOffset
  }
  get lastStableOffset(): number {
    return this.stableOffset ?? this.endOffset
  }
  endOffset = 0
  get localBytes(): number {
    return this.openBytes + this.segments.reduce((total, one) => total + one.bytes, 0)
  }

  /** Adds a sealed segment of these batches, which follow the last one. */
  seal(batches: readonly Buffer[], options: SealOptions = {}): SealedSegment {
    const bytes = Buffer.concat(batches)
    const all = [...batchesIn(bytes)]
    const baseOffset = options.baseOffset ?? all[0]!.baseOffset
    const path = join(this.#directory, `${this.partition}-${this.leaderEpoch}-${baseOffset}.log`)
    writeFileSync(path, bytes)
    const data = all.filter((one) => !one.isControl)
    const segment: SealedSegment = {
      baseOffset, endOffset: options.endOffset ?? all.at(-1)!.endOffset, bytes: bytes.length, path,
      maxTimestamp: Math.max(-1, ...data.map((one) => one.maxTimestamp)), sealedAt: options.sealedAt ?? 1_700_000_000_000,
      sections: async () => ({
        offsets: [], times: [], epochs: [{ epoch: 0, startOffset: 0 }], aborted: [],
        producers: options.producers ?? Buffer.from(`producers at ${baseOffset}`),
      }),
    }
    this.segments.push(segment)
    this.history.push(...batches)
    this.endOffset = segment.endOffset
    return segment
  }

  sealedSegments(): readonly SealedSegment[] {
    return this.segments
  }

  async abortedTransactions({ start, end }: { start: number; end: number }): Promise<AbortedTransaction[]> {
    return this.aborted.filter((one) => one.firstOffset < end && one.lastOffset >= start)
  }

  async advanceLogStart(offset: number): Promise<void> {
    this.logStartOffset = Math.max(this.logStartOffset, offset)
    this.segments = this.segments.filter((one) => one.endOffset > this.logStartOffset)
  }

  async evictBelow(offset: number): Promise<void> {
    this.evictions.push(offset)
    this.segments = this.segments.filter((one) => one.endOffset > offset)
  }

  config(): TierConfig {
    return this.settings
  }

  /** The batches that hold offsets in [start, end), as they were sealed. */
  bytesOf(start: number, end = Infinity): Buffer {
    return Buffer.concat(this.history.filter((bytes) => {
      const [one] = batchesIn(bytes)
      return one!.endOffset > start && one!.baseOffset < end
    }))
  }
}
