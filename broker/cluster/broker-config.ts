// Broker settings under Kafka's own names. They come from three places, the later winning: the default here, what the
// process was started with (--set), and what AlterConfigs wrote to the metadata log, for all brokers or for one.

import { configsOf, drainSetting, type Image } from './image.ts'
import { type Setting, type SettingType, TopicConfig, topicSettings } from './topic-config.ts'

/** The broker's name for the default of a topic setting, where it is not `log.` and the topic's own name. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ['compression.type', 'compression.type'],
  ['compression.gzip.level', 'compression.gzip.level'],
  ['compression.lz4.level', 'compression.lz4.level'],
  ['compression.zstd.level', 'compression.zstd.level'],
  ['delete.retention.ms', 'log.cleaner.delete.retention.ms'],
  ['file.delete.delay.ms', 'log.segment.delete.delay.ms'],
  ['flush.messages', 'log.flush.interval.messages'],
  ['flush.ms', 'log.flush.interval.ms'],
  ['index.interval.bytes', 'log.index.interval.bytes'],
  ['max.compaction.lag.ms', 'log.cleaner.max.compaction.lag.ms'],
  ['max.message.bytes', 'message.max.bytes'],
  ['min.cleanable.dirty.ratio', 'log.cleaner.min.cleanable.ratio'],
  ['min.compaction.lag.ms', 'log.cleaner.min.compaction.lag.ms'],
  ['min.insync.replicas', 'min.insync.replicas'],
  ['segment.index.bytes', 'log.index.size.max.bytes'],
  ['segment.jitter.ms', 'log.roll.jitter.ms'],
  ['segment.ms', 'log.roll.ms'],
  ['unclean.leader.election.enable', 'unclean.leader.election.enable'],
])

/** How a broker names the default of this topic setting; undefined where it has none. */
export function brokerNameOf(topicSetting: string): string | undefined {
  if (topicSetting.endsWith('.replication.throttled.replicas') || topicSetting.startsWith('remote.log.')) return undefined
  return synonyms.get(topicSetting) ?? `log.${topicSetting}`
}

function setting(name: string, type: SettingType, fallback: string, rest: Omit<Setting, 'name' | 'type' | 'fallback'>): Setting {
  return { name, type, fallback, ...rest }
}

const intMax = 2 ** 31 - 1
const long = Number.MAX_SAFE_INTEGER
const longMax = '9223372036854775807'

/** A whole number above 0. */
function positive(name: string, fallback: string, about: string): Setting {
  return { name, type: 'int', fallback, min: 1, max: intMax, about }
}

const own: readonly Setting[] = [
  setting('auto.create.topics.enable', 'boolean', 'true', { about: 'Whether asking for a topic makes it' }),
  setting('auto.replica.rebalance.enable', 'boolean', 'false', { about: 'Whether replicas go to brokers that have fewer, by themselves' }),
  setting(drainSetting, 'boolean', 'false', { about: 'For one broker: all that it has goes to others, and it gets nothing' }),
  setting('default.replication.factor', 'int', '1', { min: 1, max: 32767, about: 'Replicas of topics that are made automatically' }),
  setting('num.partitions', 'int', '1', { min: 1, max: 100_000, about: 'Partitions of topics that do not ask for a number' }),
  setting('group.initial.rebalance.delay.ms', 'int', '3000', { min: 0, max: intMax, about: 'How long a new group waits for more members' }),
  setting('group.min.session.timeout.ms', 'int', '6000', {
    min: 1, max: intMax, about: 'The shortest session timeout of a classic member',
  }),
  setting('group.max.session.timeout.ms', 'int', '1800000', {
    min: 1, max: intMax, about: 'The longest session timeout of a classic member',
  }),
  setting('group.max.size', 'int', String(intMax), { min: 1, max: intMax, about: 'Members that a classic group may have' }),
  setting('group.consumer.heartbeat.interval.ms', 'int', '5000', {
    min: 1, max: intMax, about: 'Heartbeat interval of consumer groups (KIP-848)',
  }),
  setting('group.consumer.session.timeout.ms', 'int', '45000', {
    min: 1, max: intMax, about: 'Session timeout of consumer groups (KIP-848)',
  }),
  positive('replica.lag.time.max.ms', '5000', 'A follower that was not in step for so long is out of sync'),
  setting('follower.replication.throttled.rate', 'long', longMax, {
    min: 1, max: Infinity, about: 'Bytes per second of copies that are throttled and not in sync',
  }),
  setting('leader.replication.throttled.rate', 'long', longMax, {
    min: 1, max: Infinity, about: 'Kept for tools: followers keep to their own rate',
  }),
  positive('group.consumer.min.heartbeat.interval.ms', '5000', 'The shortest heartbeat interval of consumer groups'),
  positive('group.consumer.max.heartbeat.interval.ms', '15000', 'The longest heartbeat interval of consumer groups'),
  positive('group.consumer.min.session.timeout.ms', '45000', 'The shortest session timeout of consumer groups'),
  positive('group.consumer.max.session.timeout.ms', '60000', 'The longest session timeout of consumer groups'),
  setting('group.consumer.max.size', 'int', String(intMax), { min: 1, max: intMax, about: 'Members that a consumer group may have' }),
  setting('offset.metadata.max.bytes', 'int', '4096', { min: 0, max: intMax, about: 'Length of the text beside a committed offset' }),
  setting('offsets.retention.minutes', 'int', '10080', { min: 1, max: intMax, about: 'How long offsets of an empty group are kept' }),
  positive('transaction.max.timeout.ms', '900000', 'The longest time that a producer may ask for its transactions'),
  positive('transactional.id.expiration.ms', '604800000', 'How long a transactional id is remembered that nobody uses'),
  positive('transaction.abort.timed.out.transaction.cleanup.interval.ms', '10000', 'Kept for tools: a transaction ends with its time'),
  setting('log.cleaner.backoff.ms', 'long', '15000', { min: 0, max: long, about: 'The shortest time between two compactions of a log' }),
  setting('log.cleaner.dedupe.buffer.size', 'long', '134217728', {
    min: 1024 * 1024, max: long, about: 'Bytes of memory for the keys of a log that is compacted',
  }),
  setting('log.cleaner.io.max.bytes.per.second', 'double', '1.7976931348623157E308', {
    min: 1024, max: Infinity, about: 'Bytes per second that compaction of local logs reads and writes',
  }),
  setting('producer.id.expiration.ms', 'int', '86400000', { min: 1, max: intMax, about: 'How long an idle producer id is remembered' }),
  setting('connections.max.idle.ms', 'long', '600000', { min: 1, max: long, about: 'How long a silent connection stays' }),
  setting('socket.request.max.bytes', 'int', '104857600', { min: 1024, max: intMax, about: 'The largest request' }),
  setting('fetch.max.bytes', 'int', '57671680', { min: 1024, max: intMax, about: 'The largest fetch response, but for one large batch' }),
  setting('max.incremental.fetch.session.cache.slots', 'int', '1000', {
    min: 0, max: intMax, about: 'Fetch sessions that are kept (KIP-227)',
  }),
]

const defaults = [...topicSettings.values()].flatMap((topic) => {
  const name = brokerNameOf(topic.name)
  return name === undefined ? [] : [{ ...topic, name }]
})

export const brokerSettings: ReadonlyMap<string, Setting> = new Map([...own, ...defaults].map((one) => [one.name, one]))

const topicNames: ReadonlyMap<string, string> = new Map(
  [...topicSettings.keys()].flatMap((name) => {
    const brokerName = brokerNameOf(name)
    return brokerName === undefined ? [] : [[brokerName, name] as const]
  }),
)

/** The settings of one broker as they are now: it looks at the image each time. */
export class BrokerConfig {
  readonly #brokerId: number
  readonly #started: ReadonlyMap<string, string>
  readonly #image: () => Image
  #topicDefaults: { sequence: number; values: ReadonlyMap<string, string> } = { sequence: -1, values: new Map() }

  /** `started`: what the process was started with, by broker names; checked by the caller. */
  constructor(options: { brokerId: number; started: ReadonlyMap<string, string>; image: () => Image }) {
    this.#brokerId = options.brokerId
    this.#started = options.started
    this.#image = options.image
  }

  /** Grows with every change that may concern a setting: what was read under the same version is still right. */
  get version(): number {
    return this.#image().sequence
  }

  /** What was set for this broker, for all, or at the start; undefined where the default holds. */
  set(name: string): { readonly value: string; readonly from: 'broker' | 'cluster' | 'start' } | undefined {
    const image = this.#image()
    const broker = configsOf(image, { kind: 'broker', name: String(this.#brokerId) }).get(name)
    if (broker !== undefined) return { value: broker, from: 'broker' }
    const cluster = configsOf(image, { kind: 'broker', name: '' }).get(name)
    if (cluster !== undefined) return { value: cluster, from: 'cluster' }
    const start = this.#started.get(name)
    return start === undefined ? undefined : { value: start, from: 'start' }
  }

  text(name: string): string {
    const known = brokerSettings.get(name)
    if (known === undefined) throw new TypeError(`no broker setting is called ${name}`)
    return this.set(name)?.value ?? known.fallback
  }

  number(name: string): number {
    return Number(this.text(name))
  }

  flag(name: string): boolean {
    return this.text(name) === 'true'
  }

  /** A topic's settings over this broker's defaults. */
  topic(name: string): TopicConfig {
    return new TopicConfig(configsOf(this.#image(), { kind: 'topic', name }), this.#defaultsForTopics())
  }

  #defaultsForTopics(): ReadonlyMap<string, string> {
    const { sequence } = this.#image()
    if (this.#topicDefaults.sequence !== sequence) {
      const values = new Map<string, string>()
      for (const [brokerName, topicName] of topicNames) {
        const set = this.set(brokerName)
        if (set !== undefined) values.set(topicName, set.value)
      }
      this.#topicDefaults = { sequence, values }
    }
    return this.#topicDefaults.values
  }
}
