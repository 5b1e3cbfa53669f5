// What operators may set, and the bounds that hold regardless.

/** Read anew for every command: settings change while the broker runs. The names in Kafka stand beside them. */
export interface GroupSettings {
  /** group.min.session.timeout.ms */
  readonly classicSessionTimeoutMsMin: number
  /** group.max.session.timeout.ms */
  readonly classicSessionTimeoutMsMax: number
  /** group.initial.rebalance.delay.ms */
  readonly initialRebalanceDelayMs: number
  /** group.max.size, members */
  readonly classicMembersMax: number
  /** group.consumer.session.timeout.ms, or the group's consumer.session.timeout.ms */
  readonly consumerSessionTimeoutMs: number
  /** group.consumer.heartbeat.interval.ms, or the group's consumer.heartbeat.interval.ms */
  readonly consumerHeartbeatIntervalMs: number
  /** group.consumer.max.size, members */
  readonly consumerMembersMax: number
  /** offset.metadata.max.bytes; counted in characters, as Kafka does, and never more than `metadataCharactersCap` */
  readonly offsetMetadataCharactersMax: number
  /** offsets.retention.minutes, in milliseconds */
  readonly offsetRetentionMs: number
}

export const defaultGroupSettings: GroupSettings = {
  classicSessionTimeoutMsMin: 6_000,
  classicSessionTimeoutMsMax: 1_800_000,
  initialRebalanceDelayMs: 3_000,
  classicMembersMax: 2 ** 31 - 1,
  consumerSessionTimeoutMs: 45_000,
  consumerHeartbeatIntervalMs: 5_000,
  consumerMembersMax: 2 ** 31 - 1,
  offsetMetadataCharactersMax: 4_096,
  offsetRetentionMs: 7 * 24 * 60 * 60 * 1_000,
}

export interface GroupLimits {
  /** Groups held in memory; further ones are refused with COORDINATOR_NOT_AVAILABLE. */
  readonly groupsMax: number
  /** Commands of one group that wait while one is being written; further ones get COORDINATOR_LOAD_IN_PROGRESS. */
  readonly commandsQueuedMax: number
  /** Commands of one group that are decided and written together. */
  readonly commandsPerWriteMax: number
  /** How long commands of one group may be decided before they are written, milliseconds: meanwhile nobody else has a turn. */
  readonly decideMsMax: number
  /** How long a request waits for its group to be loaded, milliseconds. */
  readonly loadWaitMs: number
  /** How long until a timeout is tried again whose outcome could not be written, milliseconds. */
  readonly retryMs: number
  /** Groups that are loaded side by side by a sweep. */
  readonly loadsMax: number
  /** offsets.retention.check.interval.ms: how often offsets and groups are looked through for what has expired. */
  readonly sweepEveryMs: number
  /** How long a group without members stays in memory after it was last asked for, milliseconds. */
  readonly idleMs: number
  /** How long a deleted group's item is kept, milliseconds: longer than any deposed coordinator can believe in it. */
  readonly tombstoneMs: number
}

export const defaultGroupLimits: GroupLimits = {
  groupsMax: 100_000,
  commandsQueuedMax: 10_000,
  commandsPerWriteMax: 500,
  decideMsMax: 10,
  loadWaitMs: 5_000,
  retryMs: 1_000,
  loadsMax: 8,
  sweepEveryMs: 600_000,
  idleMs: 1_800_000,
  tombstoneMs: 86_400_000,
}

/** KIP-345 and KIP-394: a new member must be seen again within this, however long its session is. */
export const newMemberTimeoutMs = 300_000
