// One broker: table, metadata, partitions, coordinators, listener, in the order in which they need each other. All that
// touches the machine comes in through `Runtime`, so that a test can run many brokers in one process under one seed.

import { join } from 'node:path'
import type { FetchContext } from './api/fetch.ts'
import { FetchSessions } from './api/fetch-session.ts'
import { ReplyBudget } from './api/reply-budget.ts'
import { Router, type RouterOptions } from './api/router.ts'
import { TurnedAway } from './api/turned-away.ts'
import { BrokerConfig } from './cluster/broker-config.ts'
import { clusterIdentity, diskIdentity, isSameBoot, rememberBoot } from './cluster/identity.ts'
import type { Image } from './cluster/image.ts'
import { MetadataLog } from './cluster/metadata-log.ts'
import { PartitionAdmin } from './cluster/partition-admin.ts'
import { TopicAdmin } from './cluster/topic-admin.ts'
import { ClusterMember, type Introduction } from './cluster-member.ts'
import type { CompactionIo } from './compaction/compaction-io.ts'
import { InProcessCompaction } from './compaction/in-process-compaction.ts'
import type { LogCleaner } from './compaction/log-cleaner.ts'
import type { Config } from './config.ts'
import type { Groups } from './coordinator/groups.ts'
import type { Transactions } from './coordinator/transactions/transactions.ts'
import { openCoordinators } from './coordinators.ts'
import { handlersOf } from './handlers.ts'
import { Housekeeping } from './housekeeping.ts'
import { limits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import { Server } from './net/server.ts'
import { PartitionStore } from './partition-store.ts'
import type { Partition } from './replication/partition.ts'
import { Partitions } from './replication/partitions.ts'
import { BufferPool } from './runtime/buffer-pool.ts'
import type { Clock } from './runtime/clock.ts'
import type { Disk } from './runtime/disk.ts'
import type { Logger } from './runtime/logger.ts'
import type { Network } from './runtime/network.ts'
import { newUuid, type Random } from './runtime/random.ts'
import type { Rules } from './runtime/rules.ts'
import type { Table } from './table/table.ts'
import type { CompactionMetrics } from './tier/compaction/compaction-figures.ts'
import { Tier, type TierMetrics } from './tier/tier.ts'
import type { TierIo, TierIoCounts } from './tier/tier-io.ts'
import { logTierEvent } from './tier-log.ts'
import type { Asking } from './transaction-coordination.ts'

/** The machine, as a broker sees it. */
export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly logger: Logger
  readonly metrics: Metrics
  readonly table: Table
  readonly tierIo: TierIo
  /** Compacts logs in a thread of its own. Not given: in this one. */
  readonly openCompaction?: () => CompactionIo
  /** Of the system's present run, where it says: what was not synced outlives the process, and not the system. */
  readonly bootId?: string | undefined
  /** Rules of replication that are not kept: for tests of what checks them. */
  readonly rules?: Rules | undefined
  /** Another process has started as the same broker: this one is to end. */
  onReplaced?(): void
}

export class Broker {
  readonly clusterId: string
  readonly #runtime: Runtime
  readonly #server: Server
  readonly #partitions: Partitions
  readonly #housekeeping: Housekeeping
  readonly #tier: Tier
  readonly #store: PartitionStore
  readonly #groups: Groups
  readonly #transactions: Transactions
  readonly #asking: Asking
  readonly #member: ClusterMember

  private constructor(parts: {
    readonly clusterId: string
    readonly runtime: Runtime
    readonly server: Server
    readonly partitions: Partitions
    readonly housekeeping: Housekeeping
    readonly tier: Tier
    readonly store: PartitionStore
    readonly groups: Groups
    readonly transactions: Transactions
    readonly asking: Asking
    readonly member: ClusterMember
  }) {
    this.clusterId = parts.clusterId
    this.#runtime = parts.runtime
    this.#server = parts.server
    this.#partitions = parts.partitions
    this.#housekeeping = parts.housekeeping
    this.#tier = parts.tier
    this.#store = parts.store
    this.#groups = parts.groups
    this.#transactions = parts.transactions
    this.#asking = parts.asking
    this.#member = parts.member
  }

  /** Resolves once clients are served. Rejects where the address, the data directory or the table cannot be had. */
  static async start(config: Config, runtime: Runtime): Promise<Broker> {
    const opened = Promise.withResolvers<Router>()
    opened.promise.catch(() => {})
    // Before anything else: an address that is taken is the likeliest mistake, and clients that are early can wait.
    const server = await Server.listen({
      network: runtime.network, clock: runtime.clock, address: config.listen, limits: netLimits(config),
      pool: new BufferPool(limits.net.pooledBytesMax),
      serve: async (frame, connection) => (await opened.promise).serve(frame, connection),
      onFault: (clientHost, cause) => runtime.logger.info({ clientHost, cause: cause.message }, 'a connection ended'),
    })
    try {
      const { broker, router } = await Broker.#assemble(config, runtime, server)
      opened.resolve(router)
      return broker
    } catch (cause) {
      opened.reject(cause)
      await server.close(0)
      throw cause
    }
  }

  static async #assemble(config: Config, runtime: Runtime, server: Server): Promise<{ broker: Broker; router: Router }> {
    const { clock, random, disk, logger, metrics, table } = runtime
    const clusterId = await clusterIdentity(table, random)
    const diskId = await diskIdentity(disk, random, { directory: config.data, brokerId: config.id, clusterId })
    const metadata = await MetadataLog.open({
      table, itemCharactersMax: limits.metadata.itemCharactersMax, attemptsMax: limits.metadata.changeAttemptsMax,
      itemsPerSnapshot: limits.metadata.itemsPerSnapshot, onAppended: (sequence) => member.appended(sequence),
    })
    const brokerConfig = new BrokerConfig({ brokerId: config.id, started: config.set, image: () => metadata.image })
    const member: ClusterMember = new ClusterMember({
      ...runtime, config, metadata, brokerConfig, incarnation: newUuid(random),
      rejoin: (partition, of) => store.rejoin(partition, of), onReplaced: () => runtime.onReplaced?.(),
    })
    const { tier, store } = storageOf(config, runtime, { clusterId, brokerConfig, member })
    const partitions = await openPartitions(config, runtime, { metadata, store })
    await member.join(partitions, {
      diskId, ...placeOf(config, server.port), isIntact: await intactness(config, runtime, partitions),
    })
    await rememberBoot(disk, config.data, runtime.bootId)
    await partitions.settled(metadata.image.sequence)
    const topicAdmin = new TopicAdmin({
      metadata, config: brokerConfig, random, partitionsPerTopicMax: limits.metadata.partitionsPerTopicMax,
      settled: (sequence) => partitions.settled(sequence),
    })
    const partitionAdmin = new PartitionAdmin({
      metadata, rulesOf: member.rulesOf, partitionsPerChangeMax: limits.metadata.partitionsPerChangeMax,
    })
    const { groups, transactions, enlister, asking, directory, producerIds } = openCoordinators(
      config, runtime, { metadata, brokerConfig, member, router: () => router },
    )
    const router: Router = new Router({
      clock,
      handlers: handlersOf({
        cluster: {
          brokerId: config.id, clusterId, get image() { return metadata.image }, metadata, roster: member.roster,
          config: brokerConfig, topicAdmin, partitionAdmin,
        },
        partitions: fetchContext(config, runtime, { metadata, brokerConfig, partitions, enlister, othersKnow: () => member.othersKnow() }),
        producerIds, groups, transactions, coordinators: directory,
        logDirectory: { path: config.data, space: () => disk.space(config.data) },
        onHint: (sequence) => member.hinted(sequence),
        apis: () => router.apis,
      }),
      ...routerEvents(logger, metrics),
    })
    const housekeeping = new Housekeeping({ clock, logger, metadata, partitions, store, tier, member })
    const parts = { clusterId, runtime, server, partitions, housekeeping, tier, store, groups, transactions, asking, member }
    return { broker: new Broker(parts), router }
  }

  /** Where clients connect. */
  get port(): number {
    return this.#server.port
  }

  get connections(): number {
    return this.#server.connections
  }

  /** Partitions that are served, and those that are not: they could not be opened, or their logs have stopped. */
  get partitionCounts(): { readonly online: number; readonly offline: number } {
    return { online: [...this.#partitions].filter(({ log }) => !log.isStopped).length, offline: this.#partitions.offlineCount }
  }

  /** Partitions, for what is shown of each. */
  get partitions(): Iterable<Partition> {
    return this.#partitions
  }

  /** The cluster, as far as this one has read. */
  get image(): Image {
    return this.#member.image
  }

  /** Whether this one looks after the cluster. */
  get isController(): boolean {
    return this.#member.isController
  }

  get hasSession(): boolean {
    return this.#member.around.hasSession()
  }

  /** What this broker coordinates. */
  get transactions(): Pick<Transactions, 'openCount' | 'timeoutCount' | 'untoldCount' | 'size'> {
    return this.#transactions
  }

  get tierMetrics(): TierMetrics {
    return this.#tier.metrics
  }

  get compactionMetrics(): CompactionMetrics {
    return this.#tier.compactionMetrics
  }

  tierCounts(): Promise<TierIoCounts> {
    return this.#runtime.tierIo.counts()
  }

  get hotBytes(): number {
    return this.#store.hotBytes
  }

  get cleaner(): LogCleaner {
    return this.#store.cleaner
  }

  /** Answers what has arrived, then closes everything in the order that makes the next start quick. */
  async stop(): Promise<void> {
    // First, so that clients hear where to go on while they are still answered here.
    await this.#member.leave()
    this.#groups.close()
    this.#transactions.close()
    await this.#server.close(limits.net.closeGraceMs)
    await this.#housekeeping.stop()
    await this.#store.cleaner.stop()
    await this.#member.stop()
    this.#asking.close()
    await this.#partitions.close()
    await this.#tier.close()
    await this.#runtime.tierIo.close()
    await this.#runtime.table.close()
  }
}

function netLimits(config: Config) {
  const started = (name: string, fallback: number) => Number(config.set.get(name) ?? fallback)
  return {
    ...limits.net,
    requestBytesMax: started('socket.request.max.bytes', 100 * 1024 * 1024),
    idleMsMax: started('connections.max.idle.ms', 600_000),
  }
}

/** Where clients and other brokers find this one. */
function placeOf(config: Config, port: number): { readonly host: string; readonly port: number } {
  return config.advertise ?? { host: config.listen.host, port }
}

/** Whether what was acknowledged of a partition is on the disk: for sure where it was synced, or the system has not stopped since. */
async function intactness(config: Config, { disk, bootId }: Runtime, partitions: Partitions): Promise<Introduction['isIntact']> {
  const isWhole = (await isSameBoot(disk, config.data, bootId)) || config.durability === 'fsync'
  return (topicId, index) => {
    const partition = partitions.replica(topicId, index)
    // One that could not be opened may be whole, and says so once it is.
    return isWhole || typeof partition === 'number' || partition.log.wasClean
  }
}

function routerEvents(logger: Logger, metrics: Metrics): Pick<RouterOptions, 'onServed' | 'onAway' | 'onDefect'> {
  return {
    onServed: (api, facts) => metrics.served(api, facts),
    onAway: (api, cause) => logger.warn({ api, cause: cause.message }, 'the table did not answer, and the client is told to try again'),
    onDefect: (api, cause) => {
      metrics.defect(api)
      logger.error({ api, cause }, 'a request failed in a way that no handler foresaw')
    },
  }
}

function storageOf(
  config: Config, { clock, random, disk, logger, table, tierIo: io, openCompaction }: Runtime,
  of: { readonly clusterId: string; readonly brokerConfig: BrokerConfig; readonly member: ClusterMember },
): { readonly tier: Tier; readonly store: PartitionStore } {
  const tier = new Tier({
    clock, random, table, io, clusterId: of.clusterId, onEvent: (event) => logTierEvent(logger, event),
    hotTraffic: () => store.appendedBytes,
  })
  const store = new PartitionStore({
    directory: join(config.data, 'logs'), disk, clock, logger, config: of.brokerConfig, isSynced: config.durability === 'fsync', tier,
    brokerId: config.id, around: of.member.around,
    openCompaction: openCompaction ?? (() => new InProcessCompaction({ disk, clock })),
    onOutOfSync: (partition) => of.member.onOutOfSync(partition), onRole: (partition) => of.member.onRole(partition),
  })
  return { tier, store }
}

function fetchContext(
  config: Config, { clock, random, logger }: Runtime,
  of: Pick<FetchContext, 'partitions' | 'othersKnow' | 'enlister'> & {
    readonly metadata: MetadataLog; readonly brokerConfig: BrokerConfig
  },
): FetchContext {
  const { metadata, brokerConfig, partitions, othersKnow, enlister } = of
  return {
    brokerId: config.id, clock, partitions, othersKnow, enlister, turnedAway: new TurnedAway(limits.turnedAway),
    get image() {
      return metadata.image
    },
    fetchSessions: new FetchSessions({
      clock, random, evictableAfterMs: limits.fetch.sessionEvictableAfterMs,
      sessionsMax: () => brokerConfig.number('max.incremental.fetch.session.cache.slots'),
    }),
    fetchLimits: { ...limits.fetch, bytesMax: () => brokerConfig.number('fetch.max.bytes') },
    replyBudget: new ReplyBudget({ ...limits.fetch, bytesMax: limits.fetch.replyBytesMax }),
    onUnreadable: ({ topicName: topic, partition }, cause) => logger.error({ topic, partition, cause }, 'a partition could not be read'),
    onNotDeleted: ({ topicName: topic, partition }, cause) => logger.warn({ topic, partition, cause }, 'records could not be deleted'),
  }
}

async function openPartitions(
  config: Config, { logger }: Runtime, { metadata, store }: { readonly metadata: MetadataLog; readonly store: PartitionStore },
): Promise<Partitions> {
  const partitions = new Partitions({
    brokerId: config.id, openingMax: limits.partitions.openingMax,
    open: (topic, partition, known) => store.open(topic, partition, known),
    close: (partition) => store.close(partition),
    remove: (partition) => store.remove(partition),
    onFault: (topic, partition, cause) => logger.error({ topic: topic.name, partition, cause }, 'a partition is offline'),
    onLeftBehind: ({ topicName: topic, partition }, cause) => {
      logger.error({ topic, partition, cause }, 'the files of a partition that is not served any more could not be removed')
    },
  })
  metadata.onChange((image) => partitions.follow(image))
  partitions.follow(metadata.image)
  await partitions.settled(metadata.image.sequence)
  const strays = await store.strays((topicId, index) => typeof partitions.replica(topicId, index) !== 'number')
  if (strays.length > 0) logger.warn({ directories: strays }, 'directories of partitions that this broker does not serve are left alone')
  return partitions
}
