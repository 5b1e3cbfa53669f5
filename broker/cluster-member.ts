// What makes a broker one of a cluster: its session and registration, the metadata that it keeps up with, its connections
// to the others, the copies that it keeps, and its turn at looking after them all.

import type { BrokerConfig } from './cluster/broker-config.ts'
import { Controller } from './cluster/controller.ts'
import { aliveBrokers, type BrokerImage, type Image, isAlive, type PartitionImage } from './cluster/image.ts'
import { changeInParts, fenceInParts, registerInParts } from './cluster/large-changes.ts'
import { type Offline, planHandOver, planOffline, type Registration, type RulesOf } from './cluster/leadership.ts'
import { Membership } from './cluster/membership.ts'
import type { MetadataLog } from './cluster/metadata-log.ts'
import { MetadataPoll } from './cluster/metadata-poll.ts'
import { Roster } from './cluster/roster.ts'
import type { Rules } from './runtime/rules.ts'
import type { Config } from './config.ts'
import { limits } from './limits.ts'
import type { BrokerClient } from './net/broker-client.ts'
import { Peers } from './net/peers.ts'
import { CopyThrottle, namesReplica } from './replication/copy-throttle.ts'
import { HandOverPace } from './replication/hand-over-pace.ts'
import { IsrChanges } from './replication/isr-changes.ts'
import type { TermSurroundings } from './replication/leader-term.ts'
import { LeaderWatch } from './replication/leader-watch.ts'
import type { Rejoining } from './replication/follower.ts'
import type { Partition } from './replication/partition.ts'
import type { Partitions } from './replication/partitions.ts'
import { ReplicaFetchers } from './replication/replica-fetchers.ts'
import { type Clock, sleep, within } from './runtime/clock.ts'
import type { Logger } from './runtime/logger.ts'
import type { Network } from './runtime/network.ts'
import type { Uuid } from './runtime/random.ts'
import { type Table, TableError } from './table/table.ts'

export interface ClusterMemberOptions {
  readonly config: Config
  readonly clock: Clock
  readonly network: Network
  readonly logger: Logger
  readonly table: Table
  readonly metadata: MetadataLog
  readonly brokerConfig: BrokerConfig
  readonly incarnation: Uuid
  /** For tests: a broker keeps all of them. */
  readonly rules?: Rules | undefined
  rejoin(partition: Partition, of: Rejoining): Promise<void>
  onReplaced(): void
}

/** What a broker says of itself when it registers. */
export type Introduction = Pick<Registration, 'diskId' | 'host' | 'port' | 'isIntact'>

export class ClusterMember {
  readonly around: TermSurroundings
  readonly rulesOf: RulesOf
  /** Whom clients are told of. */
  readonly roster: Roster
  readonly #options: ClusterMemberOptions
  readonly #peers: Peers
  readonly #fetchers: ReplicaFetchers
  readonly #isrChanges: IsrChanges
  #membership: Membership | undefined
  #controller: Controller | undefined
  #poll: MetadataPoll | undefined
  #leaderWatch: LeaderWatch<Partition> | undefined
  /** While the others are being told of a change. */
  #telling: Promise<void> | undefined

  constructor(options: ClusterMemberOptions) {
    const { config, clock, network, logger, metadata, brokerConfig, rules } = options
    this.#options = options
    this.rulesOf = cachedRules(brokerConfig, rules)
    this.around = {
      clock, ...(rules === undefined ? {} : { rules }),
      minIsr: (topicName) => this.rulesOf(topicName).minIsr,
      lagMsMax: () => brokerConfig.number('replica.lag.time.max.ms'),
      isAlive: (brokerId) => isAlive(metadata.image, brokerId),
      hasSession: () => this.#membership?.isHeld === true,
    }
    this.#peers = new Peers({
      network, clock, brokerId: config.id, limits: limits.peers, addresses: config.peer, image: () => metadata.image,
      onRefused: (broker) => this.#suspect(broker),
    })
    const { departedMs, newsMsMax } = limits.cluster
    this.roster = new Roster({ metadata, clock, departedMs, newsMsMax, endingsKnown: () => this.#peers.endingsKnown() })
    this.#fetchers = new ReplicaFetchers({
      clock, limits: limits.replication, rules, rejoin: options.rejoin, throttle: this.#throttle(),
      self: { brokerId: config.id, brokerEpoch: () => this.#membership?.brokerEpoch ?? -1 },
      connect: (brokerId) => this.#peers.connect(brokerId),
      onSilence: (leader, cause) => logger.debug({ leader, cause }, 'a leader does not answer'),
      onFault: ({ topicName: topic, partition }, what, cause) => logger.warn({ topic, partition, what, cause }, 'a copy does not keep up'),
    })
    this.#isrChanges = new IsrChanges({
      metadata, clock, brokerId: config.id,
      retryMs: limits.replication.changeRetryMs, partitionsMax: limits.replication.changePartitionsMax,
      ...(rules === undefined ? {} : { rules }),
      onFault: (cause) => logger.warn({ cause }, 'the in-sync replicas could not be changed'),
    })
  }

  #throttle(): CopyThrottle {
    const { brokerConfig, clock, config: { id: brokerId }, metadata } = this.#options
    return new CopyThrottle({
      clock, bytesPerSecond: () => brokerConfig.number('follower.replication.throttled.rate'),
      concerns: ({ topicId, topicName, partition }) => {
        const isInSync = metadata.image.topics.get(topicId)?.partitions[partition]?.isr.includes(brokerId) === true
        const throttled = brokerConfig.topic(topicName).list('follower.replication.throttled.replicas')
        return !isInSync && namesReplica(throttled, { partition, brokerId })
      },
    })
  }

  onOutOfSync(partition: Partition): void {
    this.#isrChanges.ask(partition)
  }

  onRole(partition: Partition): void {
    this.#fetchers.update(partition)
  }

  /** A new connection to another broker. Rejects with `BrokerUnreachable`. */
  connect(brokerId: number): Promise<BrokerClient> {
    return this.#peers.connect(brokerId)
  }

  /** Somebody has appended to the metadata log. Resolves once that is known here, or a while later. */
  async hinted(sequence: number): Promise<void> {
    const { metadata, clock } = this.#options
    if (sequence <= metadata.image.sequence) return
    this.#poll?.lookNow()
    await within(clock, limits.cluster.hintWaitMs, metadata.reached(sequence))
  }

  /** This process has. */
  appended(sequence: number): void {
    const told = this.#peers.hint(sequence).then(() => {
      if (this.#telling === told) this.#telling = undefined
    })
    this.#telling = told
  }

  /**
   * Resolves once the others go by what this broker changed, or a moment later. Clients that are turned away ask any of them
   * at once, and wait long before they ask again: to be told earlier would take them longer.
   */
  async othersKnow(): Promise<void> {
    if (this.#telling !== undefined) await within(this.#options.clock, limits.cluster.newsMsMax, this.#telling)
  }

  /** Makes this start known, after which partitions take their roles. Throws `TableError`. */
  async join(partitions: Partitions, introduction: Introduction): Promise<void> {
    const { config, clock, table, metadata, logger, incarnation } = this.#options
    const { sessionMs: ttlMs, ...rest } = limits.cluster
    const { partitionsPerChangeMax } = limits.metadata
    const shared = { table, clock, metadata, incarnation, limits: { ttlMs, partitionsPerChangeMax, ...rest }, rulesOf: this.rulesOf }
    this.#membership = await Membership.begin({
      ...shared, brokerId: config.id, onReplaced: this.#options.onReplaced,
      onFault: (cause, doing) => logger.warn({ cause, doing }, 'the session could not be looked after'),
    })
    const registration = { brokerId: config.id, incarnation, rack: config.rack ?? null, ...introduction }
    await registerInParts(metadata, registration, { rulesOf: this.rulesOf, recordsMax: partitionsPerChangeMax })
    this.#membership.registered(metadata.image.brokers.get(config.id)!.brokerEpoch)
    partitions.enlist()
    this.#peers.follow(metadata.image)
    metadata.onChange((image) => this.#peers.follow(image))
    this.#poll = new MetadataPoll({
      metadata, clock, everyMs: rest.pollEveryMs, everyMsMin: rest.pollEveryMsMin,
      onFault: (cause) => logger.debug({ cause }, 'the metadata could not be looked at'),
    })
    this.#leaderWatch = this.#watchLeaders(partitions)
    this.#controller = new Controller({
      ...shared, hasSession: this.around.hasSession,
      isRebalancing: () => this.#options.brokerConfig.flag('auto.replica.rebalance.enable'),
      onDraining: ({ brokerId: broker, ...progress }) => {
        if (progress.left === 0) logger.info({ broker }, 'a broker is empty, and can be stopped and unregistered')
        else logger.info({ broker, ...progress }, 'a broker is being emptied')
      },
      onFault: (cause) => {
        // A table that is away comes back, and each round tries again; what it refuses, or what is a defect, it will every time.
        const isPassing = cause instanceof TableError && cause.code !== 'invalid'
        logger[isPassing ? 'debug' : 'error']({ cause }, 'the cluster could not be looked after')
      },
      onFenced: ({ brokerId }, why) => logger.warn({ broker: brokerId, why }, 'a broker is taken for dead'),
    })
  }

  #watchLeaders(partitions: Partitions): LeaderWatch<Partition> {
    const { clock, logger } = this.#options
    return new LeaderWatch({
      clock, partitions, everyMs: limits.replication.lookEveryMs, pace: new HandOverPace(limits.replication),
      handOver: (cutOff) => this.#handOver(cutOff),
      onFault: (cause) => logger.warn({ cause }, 'what followers do not reach could not be handed over'),
    })
  }

  /** The cluster, as far as this broker has read. */
  get image(): Image {
    return this.#options.metadata.image
  }

  /** Whether this broker looks after the cluster now. */
  get isController(): boolean {
    return this.#controller?.isActive === true
  }

  get brokerEpoch(): number {
    return this.#membership?.brokerEpoch ?? -1
  }

  /** Replicas that this broker cannot serve leave the in-sync replicas, and what it led goes to others. Throws `TableError`. */
  async giveUp(brokenness: Offline['brokenness']): Promise<void> {
    const { metadata, config } = this.#options
    const plan = (image: Image) => planOffline(image, config.id, { brokenness, rulesOf: this.rulesOf })
    if (plan(metadata.image).length === 0) return
    await changeInParts(metadata, plan, { recordsMax: limits.metadata.partitionsPerChangeMax })
  }

  /** What followers cannot copy from this broker, one of them leads from now on. Throws `TableError`. */
  async #handOver(cutOff: readonly Partition[]): Promise<void> {
    const { metadata, clock, config, logger } = this.#options
    const epochs = new Map(cutOff.map(({ topicId, partition, term }) => [`${topicId}/${partition}`, term?.leaderEpoch]))
    const isCutOff = (topicId: Uuid, { partition, leaderEpoch }: PartitionImage) => epochs.get(`${topicId}/${partition}`) === leaderEpoch
    // Who has died with its machine is silent as well, and not fenced yet: leadership goes to whoever was seen to live since.
    const silentSince = clock.monotonic() - limits.replication.silenceMsMax
    const plan = (image: Image) => planHandOver(image, config.id, {
      isCutOff, rulesOf: this.rulesOf,
      isHeard: (id) => (this.#controller?.renewedAfter(image.brokers.get(id)!) ?? -Infinity) >= silentSince,
    })
    const moved = await changeInParts(metadata, plan, { recordsMax: limits.metadata.partitionsPerChangeMax })
    if (moved > 0) logger.warn({ partitions: moved }, 'followers do not reach this broker: others lead what it led')
  }

  /** Hands over what it leads, where there is anybody, and waits until clients have heard of it. */
  async leave(): Promise<void> {
    const { metadata, config, logger } = this.#options
    this.#membership?.rest()
    const own = metadata.image.brokers.get(config.id)
    try {
      // With the session still held: until others lead, this broker answers for what it has.
      if (own !== undefined && aliveBrokers(metadata.image).length > 1) await this.#handOverAll(own)
    } catch (cause) {
      logger.warn({ cause }, 'nothing could be handed over; others take over once the session is over')
    }
    await this.#membership?.end()
  }

  async #handOverAll(own: BrokerImage): Promise<void> {
    const { metadata, clock } = this.#options
    await fenceInParts(metadata, own, { rulesOf: this.rulesOf, recordsMax: limits.metadata.partitionsPerChangeMax })
    await this.othersKnow()
    await sleep(clock, limits.cluster.handOverMs)
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.#controller?.stop(), this.#poll?.stop(), this.#leaderWatch?.stop(), this.#fetchers.stop(),
      this.#isrChanges.stop(),
    ])
    this.#peers.close()
  }

  /**
   * Nobody listens where a broker was. Whoever notices says so: waiting for its session to end would only take longer.
   * Which start of the broker it was matters: one that has registered since may listen somewhere else.
   */
  async #suspect(broker: BrokerImage): Promise<void> {
    const { logger } = this.#options
    try {
      await this.#controller?.fence(broker, 'its process has ended')
    } catch (cause) {
      logger.warn({ cause, broker: broker.brokerId }, 'a broker that has ended could not be taken out')
    }
  }
}

/** A topic's rules, read anew when something was changed: they are asked for at every append. */
function cachedRules(config: BrokerConfig, kept: Rules | undefined): RulesOf {
  let version = -1
  const known = new Map<string, ReturnType<RulesOf>>()
  return (topicName) => {
    if (version !== config.version) {
      version = config.version
      known.clear()
    }
    let rules = known.get(topicName)
    if (rules === undefined) {
      const topic = config.topic(topicName)
      const isUncleanElectionAllowed = topic.flag('unclean.leader.election.enable')
      rules = { minIsr: topic.number('min.insync.replicas'), isUncleanElectionAllowed, kept }
      known.set(topicName, rules)
    }
    return rules
  }
}
