import type { MetadataLog } from './cluster/metadata-log.ts'
import type { ClusterMember } from './cluster-member.ts'
import { limits } from './limits.ts'
import { ClockWatch } from './log/log-retention.ts'
import type { Uuid } from './runtime/random.ts'
import type { PartitionStore } from './partition-store.ts'
import type { Partition } from './replication/partition.ts'
import type { Partitions } from './replication/partitions.ts'
import { type Clock, sleep } from './runtime/clock.ts'
import type { Logger } from './runtime/logger.ts'
import { Rounds } from './runtime/rounds.ts'
import type { Tier } from './tier/tier.ts'

export interface HousekeepingOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metadata: Pick<MetadataLog, 'image' | 'change'>
  readonly partitions: Pick<Partitions, 'reopen' | 'brokenness' | typeof Symbol.iterator>
  readonly store: Pick<PartitionStore, 'tidy'>
  readonly tier: Pick<Tier, 'deleteTopic' | 'sweepDeletedTopics'>
  readonly member: Pick<ClusterMember, 'giveUp'>
}

/**
 * The regular look at what nobody asks for: seals by age, retention, uploads, what deleted topics left behind. Partitions are
 * looked at side by side, so that one whose disk is slow holds up no other; what fails is tried again in the next round.
 */
export class Housekeeping {
  readonly #options: HousekeepingOptions
  readonly #stopping = new AbortController()
  readonly #watch: ClockWatch
  readonly #tidying: Rounds<Partition>
  /** Beside the rounds: a store that is away is waited for once for each topic. */
  #purging: Promise<void> | undefined
  /** Beside them too: what was restored asks the store where it begins. */
  #reopening: Promise<void> | undefined
  readonly #done: Promise<void>
  #sweptAt = -Infinity
  #reopenedAt: number

  constructor(options: HousekeepingOptions) {
    this.#options = options
    this.#watch = new ClockWatch(options.clock)
    this.#tidying = new Rounds({ atOnceMax: limits.partitions.tidiedMax, run: (partition) => this.#tidy(partition) })
    this.#reopenedAt = options.clock.monotonic()
    this.#done = this.#run()
  }

  /**
   * Waits for what is done with logs; for those that are being opened whoever closes them waits. Purging makes no further call,
   * and the one that is under way may end by itself: a store that is away would hold up the stop, and whoever purges next begins
   * with the same step.
   */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
    await this.#tidying.stop()
  }

  async #run(): Promise<void> {
    const { clock, partitions } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#tidying.begin(partitions)
      this.#reopen()
      await this.#giveUp()
      if (!signal.aborted) this.#purging ??= this.#purge().finally(() => { this.#purging = undefined })
      await sleep(clock, limits.partitions.housekeepingEveryMs, signal)
    }
  }

  async #tidy(partition: Partition): Promise<void> {
    const { store, logger } = this.#options
    try {
      await store.tidy(partition, { isClockTrusted: this.#watch.isTrusted() })
    } catch (cause) {
      logger.warn({ topic: partition.topicName, partition: partition.partition, cause }, 'a partition could not be tidied')
    }
  }

  /** What this broker cannot serve, others can. */
  async #giveUp(): Promise<void> {
    const { partitions, member } = this.#options
    await this.#tried('partitions of a broken disk could not be handed over',
      () => member.giveUp((topicId, partition) => partitions.brokenness(topicId, partition)))
  }

  /** What could not be opened at the start, because a disk or the object store was away, is not offline for ever. */
  #reopen(): void {
    const { clock, partitions } = this.#options
    if (this.#reopening !== undefined || clock.monotonic() - this.#reopenedAt < limits.partitions.reopenEveryMs) return
    this.#reopenedAt = clock.monotonic()
    this.#reopening = this.#tried('what could not be opened could not be tried again', () => partitions.reopen())
      .finally(() => { this.#reopening = undefined })
  }

  /** Marks what deleted topics have in the object store, takes note that this is done, and deletes what is due. */
  async #purge(): Promise<void> {
    const { metadata, tier, clock } = this.#options
    const { signal } = this.#stopping
    const marked: Uuid[] = []
    for (const [topicId, partitions] of [...metadata.image.unpurged]) {
      if (signal.aborted) return
      await this.#tried('a deleted topic could not be marked for the object store', async () => {
        await tier.deleteTopic({ topicId, partitions })
        marked.push(topicId)
      })
    }
    if (signal.aborted) return
    if (marked.length > 0) await this.#tried('it could not be noted that deleted topics are marked', () => this.#purged(marked))
    if (signal.aborted || clock.monotonic() - this.#sweptAt < limits.tier.sweepEveryMs) return
    this.#sweptAt = clock.monotonic()
    await this.#tried('deleted topics could not be swept from the object store', () => tier.sweepDeletedTopics(clock.now(), signal))
  }

  /** What fails is tried again in the next round, and keeps nothing else from being done; nobody is told of what a stop ends. */
  async #tried(warning: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run()
    } catch (cause) {
      if (!this.#stopping.signal.aborted) this.#options.logger.warn({ cause }, warning)
    }
  }

  async #purged(topicIds: readonly Uuid[]): Promise<void> {
    await this.#options.metadata.change((image) => ({
      records: topicIds.filter((topicId) => image.unpurged.has(topicId)).map((topicId) => ({ type: 'topicPurged', topicId })),
      answer: undefined,
    }))
  }
}
