// Opens and closes the partitions of this broker: the log on disk, and its part in the object store.

import { join } from 'node:path'
import type { BrokerConfig } from './cluster/broker-config.ts'
import type { PartitionImage, TopicImage } from './cluster/image.ts'
import type { CompactionIo } from './compaction/compaction-io.ts'
import { LogCleaner } from './compaction/log-cleaner.ts'
import { HotBudget } from './log/hot-ring.ts'
import type { LogConfig } from './log/log-config.ts'
import { PartitionLog } from './log/partition-log.ts'
import { limits } from './limits.ts'
import { cleanedLog, cleanerSettings, logCleanerEvent } from './log-cleaning.ts'
import type { RecordBatch } from './protocol/record-batch.ts'
import { recordsOf } from './protocol/records.ts'
import type { FoundRecord } from './log/timestamp-search.ts'
import type { Rejoining } from './replication/follower.ts'
import type { TermSurroundings } from './replication/leader-term.ts'
import { Partition } from './replication/partition.ts'
import { BufferPool } from './runtime/buffer-pool.ts'
import type { Clock } from './runtime/clock.ts'
import type { Disk } from './runtime/disk.ts'
import type { Logger } from './runtime/logger.ts'
import { ColdTierView } from './tier/cold-tier-view.ts'
import { logSource, tierConfigOf } from './tier/log-source.ts'
import { type PartitionUpkeep, TierUpkeep } from './tier/tier-upkeep.ts'
import type { Tier } from './tier/tier.ts'
import { TierError } from './tier/tier-error.ts'
import type { TieredPartition } from './tier/tiered-partition.ts'

export interface PartitionStoreOptions {
  /** Where each partition has a directory. */
  readonly directory: string
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly config: BrokerConfig
  /** Whether appends are synced before they count. */
  readonly isSynced: boolean
  readonly tier: Tier
  readonly brokerId: number
  readonly around: TermSurroundings
  /** Compacts logs, in a thread of its own where there are threads. */
  openCompaction(): CompactionIo
  onOutOfSync(partition: Partition): void
  onRole(partition: Partition): void
}

/** A partition's part in the object store, in one of its roles. */
interface Term {
  readonly leaderEpoch: number
  readonly isFollower: boolean
  readonly tiered: TieredPartition
  /** The same in all terms: what was done in one is not to be done again in the next. */
  readonly upkeep: PartitionUpkeep
}

export class PartitionStore {
  readonly #options: PartitionStoreOptions
  readonly #hot = new HotBudget(limits.log.hotBytesMax)
  readonly #pool = new BufferPool(limits.log.pooledBytesMax)
  readonly #terms = new Map<Partition, Term>()
  readonly #upkeep: TierUpkeep
  readonly cleaner: LogCleaner

  constructor(options: PartitionStoreOptions) {
    this.#options = options
    this.#upkeep = new TierUpkeep(options.clock, limits.tier)
    const { clock, config, logger } = options
    this.cleaner = new LogCleaner({
      clock, limits: { ...limits.compaction, inflatedBytesMax: limits.log.openedBytesMax }, settings: () => cleanerSettings(config),
      openIo: () => options.openCompaction(), onEvent: (event) => logCleanerEvent(logger, event),
    })
  }

  /** Bytes of batches that are kept in memory for readers at the tail. */
  get hotBytes(): number {
    return this.#hot.bytes
  }

  /** Of all batches that were appended to any partition since the start. */
  get appendedBytes(): number {
    return this.#hot.keptBytes
  }

  /** Throws `LogError` where the files contradict themselves, `DiskError` from the disk. */
  async open(topic: TopicImage, partition: PartitionImage, known: { readonly isNew: boolean }): Promise<Partition> {
    const { disk, clock, logger, config, isSynced } = this.#options
    const name = { topic: topic.name, partition: partition.partition }
    const configs = logConfigs(config, topic.name)
    const log = await PartitionLog.open({
      disk, clock, isSynced, hot: this.#hot, pool: this.#pool, topicId: topic.id, partition: partition.partition,
      directory: this.#directoryOf(topic.id, partition.partition),
      config: configs,
      openBatch: recordsWithTimestamps,
      keyless: (batch) => keylessRecords(batch, checkedBytesMax(configs())),
      onFault: (cause, effect) => logger.error({ ...name, cause, effect }, 'a log failed'),
    })
    try {
      if (!known.isNew) await this.#restore(log, topic, partition)
    } catch (cause) {
      // Not in order: whether something is missing from this log is asked again when it can be opened.
      await log.abandon()
      throw cause
    }
    if (log.tornBytes > 0) logger.warn({ ...name, tornBytes: log.tornBytes }, 'a torn write was cut off at the end of a log')
    const { brokerId, around, onOutOfSync } = this.#options
    return new Partition({
      topicId: topic.id, topicName: topic.name, partition: partition.partition, log, brokerId, around, onOutOfSync,
      onRole: (changed) => {
        this.#openTier(changed)
        this.#options.onRole(changed)
      },
    })
  }

  /**
   * A log that is empty although the partition is not new may have lost its disk. It goes on behind what is in the tier
   * (KIP-1023): offsets below are taken. Throws `TierError` where nobody knows, and then it must not be opened.
   */
  async #restore(log: PartitionLog, topic: TopicImage, { partition }: PartitionImage): Promise<void> {
    const { tier, config, logger } = this.#options
    if (log.endOffset > 0 || !config.topic(topic.name).isTiered) return
    const point = await tier.restorePoint({ topicId: topic.id, partition })
    if (point === undefined) return
    const { offset, logStartOffset, epochs, producers } = point
    await log.startFresh(offset, { epochs, producers: producers.length > 0 ? producers : undefined, logStartOffset })
    logger.warn({ topic: topic.name, partition, offset, logStartOffset }, 'the disk was empty: the log goes on behind the object store')
  }

  /**
   * A follower that the leader's disk begins behind: its log begins anew behind what is in the object store, or where the
   * leader's log starts if that has nothing of it. Throws `TierError` where nobody knows.
   */
  async rejoin(partition: Partition, leader: Rejoining): Promise<void> {
    const { tier, logger } = this.#options
    const { topicId, topicName: topic, partition: index, log } = partition
    const point = await tier.restorePoint({ topicId, partition: index })
    // That may have taken long. In a later epoch this replica may have caught up in another way, vouched for what it has, or lead.
    if (!leader.isCurrent()) return
    const isBehind = point === undefined || point.offset < leader.logStartOffset
    const { offset, logStartOffset, epochs, producers } = isBehind
      ? { offset: leader.logStartOffset, logStartOffset: leader.logStartOffset, epochs: [], producers: noProducers }
      : point
    if (offset <= log.endOffset && !leader.isParted) {
      throw new TierError('away', `the object store is known up to ${offset}, and this log ends at ${log.endOffset}`)
    }
    const begun = { topic, partition: index, from: log.endOffset, to: offset }
    logger.warn(begun, 'the leader has nothing that goes on from here: beginning anew')
    await log.startFresh(offset, { epochs, producers: producers.length > 0 ? producers : undefined, logStartOffset })
  }

  /**
   * Begins a term in the tier where the topic is tiered, or was: it has left the disk behind, or had a term here. What was uploaded
   * then is read and retained on, and no leader can go by what it saw as a follower.
   */
  #openTier(partition: Partition): void {
    const { tier, config, logger } = this.#options
    const { topicId, topicName, log, role, leaderEpoch } = partition
    const isFollower = role.kind !== 'leads'
    const term = this.#terms.get(partition)
    // Where nobody leads, what can be read stays what it was.
    if (role.kind === 'idle' || (term?.leaderEpoch === leaderEpoch && term.isFollower === isFollower)) return
    const wasTiered = term !== undefined || log.logStartOffset < log.localStartOffset
    if (!wasTiered && !config.topic(topicName).isTiered) return
    void term?.tiered.close()
    const tiered = tier.open(logSource({
      log, topicId, topicName, partition: partition.partition, leaderEpoch, isFollower,
      highWatermark: () => partition.highWatermark, isDecidedOnly: partition.isKept('what is open stays on the disk'),
      config: () => tierConfigOf(config.topic(topicName)),
    }))
    partition.tier = new ColdTierView(
      tiered, (error) => logger.warn({ partition: tiered.name, cause: error }, 'the tier could not be searched')
    )
    const upkeep = term?.upkeep ?? this.#upkeep.of(partition)
    this.#terms.set(partition, { leaderEpoch, isFollower, tiered, upkeep })
  }

  /** The regular look at a partition: its log, and now and then its tier. */
  async tidy(partition: Partition, now: { readonly isClockTrusted: boolean }): Promise<void> {
    const { log } = partition
    await log.tick(now)
    this.cleaner.look(cleanedLog(partition), now)
    this.#openTier(partition)
    const term = this.#terms.get(partition)
    if (term === undefined) return
    term.tiered.sealed()
    void term.tiered.evict(this.#options.clock.now())
    term.upkeep.look(term, now)
  }

  async close(partition: Partition): Promise<void> {
    await this.cleaner.leave(partition.log)
    await this.#terms.get(partition)?.tiered.close()
    this.#terms.delete(partition)
    await partition.log.close()
  }

  /** The topic was deleted. */
  async remove(partition: Partition): Promise<void> {
    await this.cleaner.leave(partition.log)
    await this.#terms.get(partition)?.tiered.close()
    this.#terms.delete(partition)
    await partition.log.destroy()
  }

  /** Directories of partitions that the metadata does not know. They are kept: unknown is no reason to delete. */
  async strays(isKnown: (topicId: string, partition: number) => boolean): Promise<string[]> {
    const names = await this.#options.disk.list(this.#options.directory)
    return names.filter((name) => {
      const match = /^(.{22})-(\d+)$/.exec(name)
      return match !== null && !isKnown(match[1]!, Number(match[2]))
    })
  }

  #directoryOf(topicId: string, partition: number): string {
    return join(this.#options.directory, `${topicId}-${partition}`)
  }
}

const noProducers = Buffer.alloc(0)

function* recordsWithTimestamps(batch: RecordBatch): Generator<FoundRecord> {
  for (const { offset, timestamp } of recordsOf(batch, { bytesMax: limits.log.openedBytesMax })) yield { offset, timestamp }
}

function keylessRecords(batch: RecordBatch, bytesMax: number): number[] {
  const indexes: number[] = []
  for (const { offset, key } of recordsOf(batch, { bytesMax })) {
    if (key === null) indexes.push(offset - batch.baseOffset)
  }
  return indexes
}

/** Of a batch whose keys are looked at, once it is decompressed. */
function checkedBytesMax({ batchBytesMax }: LogConfig): number {
  return Math.min(Math.max(limits.log.checkedBytesMax, batchBytesMax), limits.log.openedBytesMax)
}

/** The log's settings, read anew when something was changed: they are asked for at every append. */
function logConfigs(config: BrokerConfig, topicName: string): () => LogConfig {
  let version = -1
  let current: LogConfig | undefined
  return () => {
    if (current !== undefined && version === config.version) return current
    version = config.version
    current = logConfig(config, topicName)
    return current
  }
}

function logConfig(config: BrokerConfig, topicName: string): LogConfig {
  const topic = config.topic(topicName)
  const policies = topic.list('cleanup.policy')
  return {
    segmentBytes: topic.number('segment.bytes'),
    // What is not sealed is not compacted.
    segmentMs: Math.min(topic.number('segment.ms'), policies.includes('compact') ? topic.number('max.compaction.lag.ms') : Infinity),
    retentionMs: topic.number('retention.ms'),
    retentionBytes: topic.number('retention.bytes'),
    indexIntervalBytes: topic.number('index.interval.bytes'),
    batchBytesMax: topic.number('max.message.bytes'),
    hasLogAppendTime: topic.text('message.timestamp.type') === 'LogAppendTime',
    timestampBeforeMsMax: topic.number('message.timestamp.before.max.ms'),
    timestampAfterMsMax: topic.number('message.timestamp.after.max.ms'),
    isDeleted: policies.includes('delete'),
    isCompacted: policies.includes('compact'),
    isTiered: topic.isTiered,
    minCleanableRatio: topic.number('min.cleanable.dirty.ratio'),
    minCompactionLagMs: topic.number('min.compaction.lag.ms'),
    maxCompactionLagMs: topic.number('max.compaction.lag.ms'),
    deleteRetentionMs: topic.number('delete.retention.ms'),
    producerExpiryMs: config.number('producer.id.expiration.ms'),
  }
}
