// The tier of one broker: what its partitions share, and what is told about all of them.

import { ClockWatch } from '../log/log-retention.ts'
import { Budget } from '../runtime/budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random, Uuid } from '../runtime/random.ts'
import type { Table } from '../table/table.ts'
import { ColdPace, type ColdPaceLimits } from './cold-pace.ts'
import { CompactionFigureSums, type CompactionMetrics } from './compaction/compaction-figures.ts'
import { PartitionCompaction, type PartitionCompactionLimits } from './compaction/partition-compaction.ts'
import { ColdReader, type ColdReadLimits } from './cold-reader.ts'
import { Manifest } from './manifest.ts'
import type { TierPartitionId } from './manifest-items.ts'
import { PartitionUpload } from './partition-upload.ts'
import { type Rebuilt, rebuildManifest } from './rebuild.ts'
import { type RestorePoint, restorePoint } from './restore-point.ts'
import type { OnTierEvent } from './tier-events.ts'
import type { TierIo } from './tier-io.ts'
import type { TierSource } from './tier-source.ts'
import { TieredPartition, type TieredPartitionLimits } from './tiered-partition.ts'
import { requestTopicDeletion, sweepDeletedTopics } from './topic-deletion.ts'
import { Uploader, type UploaderLimits } from './uploader.ts'

export interface TierLimits extends UploaderLimits, ColdReadLimits, ColdPaceLimits, TieredPartitionLimits, PartitionCompactionLimits {
  /** Bytes that reads of all partitions together may be waiting for. */
  readonly readBytesInFlightMax: number
  /** Reads that wait for those bytes; more are told to come back. */
  readonly readsWaitingMax: number
  /** Milliseconds for which the tombstone of a deleted topic outlives its last object. */
  readonly deletedTopicKeepMs: number
  /** Manifest rows kept in memory for each partition. */
  readonly manifestRowsMax: number
  /** How often a change of a manifest is decided anew after it lost a race. */
  readonly manifestAttemptsMax: number
}

const mebibyte = 1024 * 1024

export const tierLimits: TierLimits = {
  uploadsMax: 2,
  uploadDrainMs: 20_000,
  uploadBytesPerSecondMin: 32 * mebibyte,
  uploadRetryMs: 500,
  uploadRetryMsMax: 60_000,
  readBytesMax: 16 * mebibyte,
  readBytesInFlightMax: 64 * mebibyte,
  readsWaitingMax: 1000,
  readAheadBytes: 8 * mebibyte,
  coldBytesPerSecondMin: 8 * mebibyte,
  coldBytesPerSecondFirst: 8 * mebibyte,
  coldBytesPerSecondMax: 4096 * mebibyte,
  coldLatenessMsMax: 3,
  damageHoldMs: 30_000,
  deleteDelayMs: 600_000,
  intentAgeMsMax: 86_400_000,
  sweepEveryMs: 300_000,
  orphanAgeMsMin: 86_400_000,
  deletedTopicKeepMs: 7 * 86_400_000,
  retentionRowsMax: 64,
  manifestRowsMax: 32,
  manifestAttemptsMax: 10,
  compactionObjectBytes: 64 * mebibyte,
  compactionGroupRowsMax: 30,
  compactionGroupBytesMax: 256 * mebibyte,
  compactionDirtyRowsMax: 1000,
  compactionIdleMs: 60_000,
  compactionIdleMsMin: 5000,
  compactionRetryMs: 30_000,
  compactionRetryMsMax: 3_600_000,
}

export interface TierOptions {
  readonly clock: Clock
  readonly random: Random
  readonly table: Table
  readonly io: TierIo
  /** Part of every object's key: letters, digits, `-` and `_`. */
  readonly clusterId: string
  readonly limits?: Partial<TierLimits>
  readonly onEvent: OnTierEvent
  /** Grows when something is appended to any partition of this broker; without it history is never held back. */
  hotTraffic?(): number
}

export interface TierMetrics {
  readonly uploadedBytes: number
  readonly uploadedSegments: number
  readonly uploadErrors: number
  /** Sealed and not in the tier, over all partitions that are led here. */
  readonly lagBytes: number
  readonly lagSegments: number
  /** Age of the oldest of those in milliseconds; 0 where there is none. */
  readonly lagMs: number
  readonly partitions: number
}

export class Tier {
  readonly #options: TierOptions
  readonly #limits: TierLimits
  readonly #uploader: Uploader
  readonly #budget: Budget
  readonly #pace: ColdPace
  readonly #clockWatch: ClockWatch
  readonly #compacted = new CompactionFigureSums()
  readonly #partitions = new Set<TieredPartition>()

  constructor(options: TierOptions) {
    const { clock, random, onEvent } = options
    this.#options = options
    this.#clockWatch = new ClockWatch(clock)
    this.#limits = { ...tierLimits, ...options.limits }
    this.#uploader = new Uploader({ clock, random, onEvent, limits: this.#limits })
    this.#pace = new ColdPace({ clock, limits: this.#limits, hotTraffic: () => options.hotTraffic?.() ?? 0 })
    this.#budget = new Budget({ units: this.#limits.readBytesInFlightMax, waitingMax: this.#limits.readsWaitingMax })
  }

  /** Begins a term. Nothing happens before the first `tick`; reads work at once. Another term opens it again. */
  open(source: TierSource): TieredPartition {
    const { clock, random, io, clusterId, onEvent } = this.#options
    const limits = this.#limits
    const manifest = this.#manifest(source)
    const upload = new PartitionUpload({ source, manifest, io, clock, random, clusterId, onEvent })
    const reader = new ColdReader({ manifest, io, clock, budget: this.#budget, pace: this.#pace, limits })
    const isClockTrusted = () => this.#clockWatch.isTrusted()
    const compaction = new PartitionCompaction({
      name: upload.name, manifest, io, clock, random, clusterId, limits, figures: this.#compacted, onEvent, isClockTrusted,
      config: () => source.config().compaction,
    })
    const partition = new TieredPartition({
      source, manifest, upload, uploader: this.#uploader, reader, compaction, io, clock, clusterId, limits, onEvent, isClockTrusted,
      onClose: (closed) => this.#partitions.delete(closed),
    })
    this.#partitions.add(partition)
    return partition
  }

  /**
   * Where the log of a partition has to begin if there is nothing on disk: to be asked before it is opened. Undefined:
   * nothing of it is in the tier. Throws `TierError`, and then it must not be opened, as nobody knows.
   */
  restorePoint(id: TierPartitionId): Promise<RestorePoint | undefined> {
    return restorePoint(this.#manifest(id), this.#options.io)
  }

  /** Marks a topic for deletion; `sweepDeletedTopics` does it. Throws `TierError`. */
  async deleteTopic(topic: { readonly topicId: Uuid; readonly partitions: number }): Promise<void> {
    await requestTopicDeletion(this.#options.table, topic, this.#options.clock.now())
  }

  /**
   * Goes on with the deletion of topics; one broker is enough. Returns how many objects went. Throws `TierError`, or what
   * `signal` aborts with.
   */
  sweepDeletedTopics(now: number, signal?: AbortSignal): Promise<number> {
    const { deleteDelayMs: graceMs, deletedTopicKeepMs: keepMs } = this.#limits
    return sweepDeletedTopics({ ...this.#options, now, graceMs, keepMs, signal })
  }

  /** Makes a partition's manifest anew from the bucket, where the table has none. Throws `TierError`. */
  rebuildManifest(id: TierPartitionId, { readsBatches = false } = {}): Promise<Rebuilt> {
    return rebuildManifest({ ...this.#options, id, readsBatches })
  }

  get compactionMetrics(): CompactionMetrics {
    return this.#compacted.metrics
  }

  get metrics(): TierMetrics {
    const lags = [...this.#partitions].map(({ lag }) => lag)
    const oldest = Math.min(...lags.map(({ sealedAt }) => sealedAt ?? Infinity))
    return {
      ...this.#uploader.counts,
      lagBytes: lags.reduce((total, { bytes }) => total + bytes, 0),
      lagSegments: lags.reduce((total, { segments }) => total + segments, 0),
      lagMs: oldest === Infinity ? 0 : Math.max(0, this.#options.clock.now() - oldest),
      partitions: this.#partitions.size,
    }
  }

  #manifest({ topicId, partition }: TierPartitionId): Manifest {
    const { manifestRowsMax: rowsMax, manifestAttemptsMax: attemptsMax } = this.#limits
    return new Manifest({ table: this.#options.table, id: { topicId, partition }, rowsMax, attemptsMax })
  }

  /** Ends all terms. The table and the `TierIo` are their owner's to close. */
  async close(): Promise<void> {
    await Promise.all([...this.#partitions].map((partition) => partition.close()))
  }
}
