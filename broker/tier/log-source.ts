import type { PartitionLog } from '../log/partition-log.ts'
import type { Uuid } from '../runtime/random.ts'
import type { CompactionConfig, TierConfig, TierSource } from './tier-source.ts'

export interface LogSourceOptions {
  readonly log: PartitionLog
  readonly topicId: Uuid
  readonly topicName: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly isFollower: boolean
  highWatermark(): number
  /** Only what is decided leaves the disk; always, but in tests. */
  readonly isDecidedOnly?: boolean
  config(): TierConfig
}

/** A log on local disk as the tier sees it, for one term. Only what is durable here counts as there. */
export function logSource(options: LogSourceOptions): TierSource {
  const { log, topicId, topicName, partition, leaderEpoch, isFollower, highWatermark, isDecidedOnly = true, config } = options
  return {
    topicId, topicName, partition, leaderEpoch, isFollower, config,
    get logStartOffset() {
      return log.logStartOffset
    },
    get localStartOffset() {
      return log.localStartOffset
    },
    get lastStableOffset() {
      return isDecidedOnly ? log.lastStableOffset(highWatermark()) : highWatermark()
    },
    get endOffset() {
      return log.durableEndOffset
    },
    get localBytes() {
      return log.bytes
    },
    sealedSegments: () => log.sealedSegments(),
    abortedTransactions: async (range) => log.aborted(range),
    advanceLogStart: (offset) => log.advanceLogStart(offset),
    evictBelow: (offset) => log.evictBelow(offset),
  }
}

/** The tier's settings of a topic, read by Kafka's own names. */
export function tierConfigOf(
  topic: { number(name: string): number; flag(name: string): boolean; list(name: string): string[] },
): TierConfig {
  const policies = topic.list('cleanup.policy')
  return {
    isUploadEnabled: topic.flag('remote.storage.enable') && !topic.flag('remote.log.copy.disable'),
    isDeleteEnabled: policies.includes('delete'),
    compaction: policies.includes('compact') ? compactionConfigOf(topic) : undefined,
    retentionMs: topic.number('retention.ms'),
    retentionBytes: topic.number('retention.bytes'),
    localRetentionMs: topic.number('local.retention.ms'),
    localRetentionBytes: topic.number('local.retention.bytes'),
  }
}

function compactionConfigOf(topic: { number(name: string): number }): CompactionConfig {
  return {
    deleteRetentionMs: topic.number('delete.retention.ms'),
    dirtyRatioMin: topic.number('min.cleanable.dirty.ratio'),
    lagMsMin: topic.number('min.compaction.lag.ms'),
    lagMsMax: topic.number('max.compaction.lag.ms'),
  }
}
