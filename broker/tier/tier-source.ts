import type { AbortedTransaction, SealedSegment } from '../log/sealed-segment.ts'
import type { Uuid } from '../runtime/random.ts'

/** What the tier needs of a replica on this broker: the log satisfies it with an adapter. */
export interface TierSource {
  readonly topicId: Uuid
  readonly topicName: string
  readonly partition: number
  /** Of this term; another term is another source. */
  readonly leaderEpoch: number
  /** Another broker leads and uploads: here the manifest is only read, for readers and for what the disk need not keep. */
  readonly isFollower?: boolean
  readonly logStartOffset: number
  /** The first offset on local disk. */
  readonly localStartOffset: number
  /** Uploads and retention stay below: what is undecided or not replicated is not history. */
  readonly lastStableOffset: number
  readonly endOffset: number
  /** Of all local segments, the open one too. */
  readonly localBytes: number
  /** Ascending and without gaps; the open segment is not among them. */
  sealedSegments(): readonly SealedSegment[]
  /** Aborted transactions with records or marker in [start, end), wherever their marker is. */
  abortedTransactions(range: { readonly start: number; readonly end: number }): Promise<readonly AbortedTransaction[]>
  /** No offset below is served any more, and segments wholly below go. Does nothing where it is there already. */
  advanceLogStart(offset: number): Promise<void>
  /** Drops local segments that end at `offset` or before; what they held is read from the tier from now on. */
  evictBelow(offset: number): Promise<void>
  config(): TierConfig
}

/** When and how a partition of a compacted topic is compacted; Kafka's settings of the topic. */
export interface CompactionConfig {
  /** How long tombstones and markers outlive the pass that met them first, in milliseconds. */
  readonly deleteRetentionMs: number
  /** The dirty part of the bytes above which a pass begins, 0 to 1. */
  readonly dirtyRatioMin: number
  /** Records are let alone for so long, in milliseconds. */
  readonly lagMsMin: number
  /** After so long a pass begins, however little is dirty; Infinity: never for that. */
  readonly lagMsMax: number
}

export interface TierConfig {
  /** `remote.log.copy.disable` is its opposite. */
  readonly isUploadEnabled: boolean
  /** Whether `cleanup.policy` lets retention delete. */
  readonly isDeleteEnabled: boolean
  /** Absent: the topic is not compacted. */
  readonly compaction?: CompactionConfig | undefined
  /** Milliseconds; -1 or Infinity: for ever. */
  readonly retentionMs: number
  /** -1 or Infinity: no limit. */
  readonly retentionBytes: number
  /** As `retentionMs`; -2: the same as it. */
  readonly localRetentionMs: number
  /** As `retentionBytes`; -2: the same as it. */
  readonly localRetentionBytes: number
}
