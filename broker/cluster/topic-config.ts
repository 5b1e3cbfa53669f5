// Topic settings under Kafka's own names: type, default and what is allowed, one line each. DescribeConfigs and the
// checks of Create/AlterConfigs derive from this table. Where our default is not Kafka's, the line says why.

export type SettingType = 'boolean' | 'int' | 'long' | 'double' | 'string' | 'list'

export interface Setting {
  readonly name: string
  readonly type: SettingType
  readonly fallback: string
  readonly min?: number
  readonly max?: number
  readonly values?: readonly string[]
  readonly about: string
}

const longMax = '9223372036854775807'
const long = Number.MAX_SAFE_INTEGER

function setting(name: string, type: SettingType, fallback: string, rest: Omit<Setting, 'name' | 'type' | 'fallback'>): Setting {
  return { name, type, fallback, ...rest }
}

export const topicSettings: ReadonlyMap<string, Setting> = new Map(
  [
    setting('cleanup.policy', 'list', 'delete', { values: ['delete', 'compact'], about: 'What becomes of old records' }),
    setting('compression.gzip.level', 'int', '-1', { min: -1, max: 9, about: 'Kept for tools: batches are stored as they came' }),
    setting('compression.lz4.level', 'int', '9', { min: 1, max: 17, about: 'Kept for tools: batches are stored as they came' }),
    setting('compression.type', 'string', 'producer', {
      values: ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'], about: 'Kept for tools: batches are stored as they came' }),
    setting('compression.zstd.level', 'int', '3', { min: -131072, max: 22, about: 'Kept for tools: batches are stored as they came' }),
    setting('delete.retention.ms', 'long', '86400000', { min: 0, max: long, about: 'How long tombstones of compacted topics stay' }),
    setting('file.delete.delay.ms', 'long', '60000', { min: 0, max: long, about: 'How long a deleted segment stays on disk' }),
    setting('flush.messages', 'long', longMax, { min: 1, max: Infinity, about: 'Kept for tools: durability is the broker\'s' }),
    setting('flush.ms', 'long', longMax, { min: 0, max: Infinity, about: 'Kept for tools: durability is the broker\'s' }),
    setting('follower.replication.throttled.replicas', 'list', '', { about: 'Replicas whose fetches are throttled, as 0:1,1:2 or *' }),
    setting('index.interval.bytes', 'int', '4096', { min: 0, max: 2 ** 31 - 1, about: 'Bytes of batches per entry of the offset index' }),
    setting('leader.replication.throttled.replicas', 'list', '', { about: 'Kept for tools: followers are throttled' }),
    setting('local.retention.bytes', 'long', '-2', {
      min: -2, max: long, about: 'Bytes of a tiered partition kept on disk; -2: as retention.bytes',
    }),
    setting('local.retention.ms', 'long', '-2', {
      min: -2, max: long, about: 'How long tiered segments stay on disk; -2: as retention.ms',
    }),
    setting('max.compaction.lag.ms', 'long', longMax, { min: 1, max: Infinity, about: 'The longest that a record stays uncompacted' }),
    setting('max.message.bytes', 'int', '1048588', { min: 0, max: 2 ** 31 - 1, about: 'The largest record batch, as sent' }),
    setting('message.timestamp.after.max.ms', 'long', '3600000', {
      min: 0, max: Infinity, about: 'How far ahead of the broker a timestamp may be',
    }),
    setting('message.timestamp.before.max.ms', 'long', longMax, {
      min: 0, max: Infinity, about: 'How far behind the broker a timestamp may be',
    }),
    setting('message.timestamp.type', 'string', 'CreateTime', {
      values: ['CreateTime', 'LogAppendTime'], about: 'Whose clock stamps records',
    }),
    setting('min.cleanable.dirty.ratio', 'double', '0.5', { min: 0, max: 1, about: 'How dirty a log is before it is compacted' }),
    setting('min.compaction.lag.ms', 'long', '0', { min: 0, max: long, about: 'The shortest that a record stays uncompacted' }),
    setting('min.insync.replicas', 'int', '1', { min: 1, max: 2 ** 31 - 1, about: 'Replicas that acks=all needs' }),
    setting('preallocate', 'boolean', 'false', { about: 'Kept for tools: files grow as they are written' }),
    setting('remote.log.copy.disable', 'boolean', 'false', { about: 'Stops uploads of a tiered topic' }),
    setting('remote.log.delete.on.disable', 'boolean', 'false', { about: 'Drops the object store\'s part when tiering is switched off' }),
    // Kafka's default is false. Ours is the reason why Longtail exists: disks hold the tail, the object store the rest.
    setting('remote.storage.enable', 'boolean', 'true', { about: 'Sealed segments move to the object store' }),
    setting('retention.bytes', 'long', '-1', { min: -1, max: long, about: 'Bytes of a partition kept over both tiers; -1: no limit' }),
    setting('retention.ms', 'long', '604800000', { min: -1, max: long, about: 'How long records are kept over both tiers; -1: for ever' }),
    // Kafka's default is 1 GiB: what is not sealed is not in the object store, so ours are smaller.
    setting('segment.bytes', 'int', '67108864', { min: 1024, max: 2 ** 31 - 1, about: 'Size at which a segment is sealed' }),
    setting('segment.index.bytes', 'int', '10485760', { min: 4, max: 2 ** 31 - 1, about: 'Kept for tools: indexes grow as they need' }),
    setting('segment.jitter.ms', 'long', '0', { min: 0, max: long, about: 'Kept for tools: seals are spread by their first append' }),
    // Kafka's default is 7 days, after which slow topics would reach the object store.
    setting('segment.ms', 'long', '600000', { min: 1, max: long, about: 'Age at which a segment is sealed' }),
    setting('unclean.leader.election.enable', 'boolean', 'false', { about: 'Whether a replica that may lack records can lead' }),
  ].map((one) => [one.name, one]),
)

/** Why a value cannot be, as a sentence; undefined where it can. */
export function problemWith(name: string, value: string, settings = topicSettings): string | undefined {
  const known = settings.get(name)
  if (known === undefined) return `Unknown topic config name: ${name}`
  const { type, values, min = -Infinity, max = Infinity } = known
  if (type === 'boolean') return value === 'true' || value === 'false' ? undefined : `${name} is '${value}', and must be true or false`
  if (type === 'string' || type === 'list') {
    const given = type === 'list' ? listOf(value) : [value]
    const bad = values === undefined ? undefined : given.find((one) => !values.includes(one))
    return bad === undefined ? undefined : `${name} is '${value}', and must be of ${values!.join(', ')}`
  }
  const isNumber = type === 'double' ? /^-?\d+(\.\d+)?(E\d{1,3})?$/i.test(value) : /^-?\d{1,19}$/.test(value)
  if (!isNumber) return `${name} is '${value}', and must be a number`
  if (Number(value) < min || Number(value) > max) return `${name} is ${value}, and must be from ${min} to ${max}`
  return undefined
}

/** Why values that can be each for itself cannot be together. `values`: with every default filled in. */
export function conflictIn(values: Pick<TopicConfig, 'text' | 'number'>): string | undefined {
  const [shortest, longest] = ['min.compaction.lag.ms', 'max.compaction.lag.ms'] as const
  if (values.number(shortest) <= values.number(longest)) return undefined
  return `conflict topic config setting ${shortest} (${values.text(shortest)}) > ${longest} (${values.text(longest)})`
}

export function listOf(value: string): string[] {
  return value.split(',').map((one) => one.trim()).filter((one) => one !== '')
}

/** A topic's settings with every default filled in: its own values, then the broker's, then ours. */
export class TopicConfig {
  readonly #own: ReadonlyMap<string, string>
  readonly #defaults: ReadonlyMap<string, string>

  constructor(own: ReadonlyMap<string, string>, defaults: ReadonlyMap<string, string>) {
    this.#own = own
    this.#defaults = defaults
  }

  text(name: string): string {
    const known = topicSettings.get(name)
    if (known === undefined) throw new TypeError(`no topic setting is called ${name}`)
    return this.#own.get(name) ?? this.#defaults.get(name) ?? known.fallback
  }

  /** Values beyond 2^53 read as Infinity, which is what they are meant for. */
  number(name: string): number {
    const value = Number(this.text(name))
    return Number.isSafeInteger(value) || !Number.isInteger(value) ? value : Infinity
  }

  flag(name: string): boolean {
    return this.text(name) === 'true'
  }

  list(name: string): string[] {
    return listOf(this.text(name))
  }

  /** Whether sealed segments go to the object store; those of compacted topics do too. */
  get isTiered(): boolean {
    return this.flag('remote.storage.enable')
  }
}
