// What operators may set, and the bounds that hold regardless.

/** Read anew for every command: settings change while the broker runs. The names in Kafka stand beside them. */
export interface TransactionSettings {
  /** transaction.max.timeout.ms */
  readonly timeoutMsMax: number
  /** transactional.id.expiration.ms */
  readonly idExpirationMs: number
}

export const defaultTransactionSettings: TransactionSettings = {
  timeoutMsMax: 900_000,
  idExpirationMs: 7 * 24 * 60 * 60 * 1_000,
}

export interface TransactionLimits {
  /** Transactional ids held in memory; further ones are refused with COORDINATOR_NOT_AVAILABLE. */
  readonly transactionsMax: number
  /** Commands of one id that wait while one is being written; further ones get COORDINATOR_LOAD_IN_PROGRESS. */
  readonly commandsQueuedMax: number
  /** Commands of one id that are decided and written together. */
  readonly commandsPerWriteMax: number
  /** Of what is stored of one id, in bytes: what would make it larger is refused with UNKNOWN_SERVER_ERROR. */
  readonly bytesMax: number
  /** How long a request waits for its id to be loaded, milliseconds. */
  readonly loadWaitMs: number
  /**
   * How long a request that adds to a transaction waits for the one before it to be told to everybody, milliseconds: where it asks
   * for one transaction, and where it asks for several.
   */
  readonly patienceMs: { readonly alone: number; readonly besideOthers: number }
  /** How long until something is tried again that could not be written or read, milliseconds. */
  readonly retryMs: number
  /** Ids that are loaded side by side by a sweep. */
  readonly loadsMax: number
  /** How often the table is looked through for what is open, what has expired, and what was forgotten long ago, milliseconds. */
  readonly sweepEveryMs: number
  /** The same once more after a change of owners: whoever did not know of it yet may have written meanwhile, milliseconds. */
  readonly sweepAgainMs: number
  /** How long a complete transaction waits for the next one to be written with, milliseconds. */
  readonly settleAfterMs: number
  /** How long an id stays in memory after it was last used, milliseconds. */
  readonly idleMs: number
  /** How long a forgotten id's item is kept, milliseconds: longer than any deposed coordinator can believe in it. */
  readonly tombstoneMs: number
  readonly telling: TellingLimits
}

/** Of telling partitions and groups how transactions have ended. */
export interface TellingLimits {
  /** Partitions and groups that are still to be told; beyond that no transaction begins or grows (COORDINATOR_LOAD_IN_PROGRESS). */
  readonly targetsMax: number
  /** Partitions in one request. */
  readonly perRequestMax: number
  /** Requests to one broker that are under way: of those that go out for the first time, of repeated ones, and to groups. */
  readonly requestsMax: { readonly first: number; readonly again: number; readonly group: number }
  /** Milliseconds until the outcome of a request counts as unknown. */
  readonly timeoutMs: number
  /** The most that the first wait, and any wait, before another try can be, milliseconds. */
  readonly retryMs: number
  readonly retryMsMax: number
}

export const defaultTransactionLimits: TransactionLimits = {
  transactionsMax: 100_000,
  commandsQueuedMax: 10_000,
  commandsPerWriteMax: 500,
  bytesMax: 350_000,
  loadWaitMs: 5_000,
  patienceMs: { alone: 100, besideOthers: 10 },
  retryMs: 1_000,
  loadsMax: 16,
  sweepEveryMs: 60_000,
  sweepAgainMs: 5_000,
  settleAfterMs: 5_000,
  idleMs: 600_000,
  tombstoneMs: 86_400_000,
  telling: {
    targetsMax: 1_000_000,
    perRequestMax: 1_000,
    requestsMax: { first: 4, again: 1, group: 16 },
    timeoutMs: 15_000,
    retryMs: 20,
    retryMsMax: 1_000,
  },
}
