// Which log is compacted next, and when: of those that are dirty enough the dirtiest, one at a time. After Kafka's (KIP-58, KIP-354):
//
//   dirty       sealed, below the high watermark and the last stable offset, behind what was compacted, older than
//               min.compaction.lag.ms
//   enough      more than min.cleanable.dirty.ratio of what could be compacted, or older than max.compaction.lag.ms
//
// and where tombstones have outlived delete.retention.ms since the last pass, which in Kafka stay until the log gets dirty.

import type { CompactibleSegment } from '../log/log-compaction.ts'
import type { LogConfig } from '../log/log-config.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Segment } from '../log/segment.ts'
import type { Clock } from '../runtime/clock.ts'
import { CompactionError, type CompactionIo } from './compaction-io.ts'
import { type Cleanable, cleanableOf } from './compaction-plan.ts'
import { compactLog, type LogPassOptions, type PassDone, type PassProgress } from './log-pass.ts'

/** A log that may be compacted. */
export interface CleanedLog {
  readonly topicName: string
  readonly partition: number
  readonly log: PartitionLog
  readonly config: LogConfig
  /** Exclusive: what is replicated, and decided as far as transactions go. */
  readonly stableOffset: number
}

export interface CleanerSettings {
  readonly mapBytesMax: number
  readonly bytesPerSecond: number
  /** Between two passes over one log, where the first one has taken in everything. */
  readonly backoffMs: number
}

export interface CleanerLimits {
  readonly inflatedBytesMax: number
  /** After a pass that failed. */
  readonly retryMs: number
  /** A thread that has nothing to do ends after so long. */
  readonly idleMs: number
  /** A long pass tells how far it is so often. */
  readonly progressEveryMs: number
}

export interface CleanerOptions {
  readonly clock: Clock
  readonly limits: CleanerLimits
  settings(): CleanerSettings
  /** Called when there is something to compact. */
  openIo(): CompactionIo
  onEvent(event: CleanerEvent): void
}

export type CleanerEvent = { readonly topic: string; readonly partition: number } & (
  | { readonly kind: 'cleaned'; readonly ms: number; readonly keys: number; readonly cleanedOffset: number; readonly isComplete: boolean
    readonly bytesBefore: number; readonly bytesAfter: number; readonly recordsDropped: number; readonly unreadable: number }
  | ({ readonly kind: 'progress' } & PassProgress)
  | { readonly kind: 'ended'; readonly why: string }
  | { readonly kind: 'failed'; readonly cause: unknown }
)

/** Since the start, for what is shown; `lastPassAt` in monotonic milliseconds, -1 before the first one. */
export interface CleanerCounts {
  passes: number
  failures: number
  bytesRead: number
  bytesWritten: number
  recordsDropped: number
  ms: number
  lastPassAt: number
  /** Of the last pass: keys in the map, of what it has room for. */
  mapFill: number
}

interface Candidate {
  of: CleanedLog
  cleanable: Cleanable
  isDue: boolean
}

/** What is known of a log from its passes. */
interface Past {
  /** Not before; monotonic. */
  notBefore: number
  /** Wall clock: then tombstones that the last pass has left can go. -1: there are none. */
  horizon: number
}

export class LogCleaner {
  readonly #options: CleanerOptions
  readonly #candidates = new Map<PartitionLog, Candidate>()
  readonly #past = new WeakMap<PartitionLog, Past>()
  readonly #firstTimestamps = new WeakMap<Segment, number>()
  readonly counts: CleanerCounts = {
    passes: 0, failures: 0, bytesRead: 0, bytesWritten: 0, recordsDropped: 0, ms: 0, lastPassAt: -1, mapFill: 0,
  }
  #io: CompactionIo | undefined
  #running: { readonly log: PartitionLog; readonly done: Promise<void>; isWanted: boolean } | undefined
  #idleSince = 0
  #isStopped = false

  constructor(options: CleanerOptions) {
    this.#options = options
  }

  /** Of the dirtiest log that waits, from 0 to 1. */
  get dirtyRatioMax(): number {
    return Math.max(0, ...[...this.#candidates.values()].map(({ cleanable }) => cleanable.dirtyRatio))
  }

  /** Since the last pass ended, milliseconds; -1000 before the first one. */
  get lastPassAgeMs(): number {
    return this.counts.lastPassAt < 0 ? -1000 : this.#options.clock.monotonic() - this.counts.lastPassAt
  }

  /** The regular look at a log. Begins a pass where none is under way and one is due. */
  look(of: CleanedLog, { isClockTrusted }: { readonly isClockTrusted: boolean }): void {
    const { log, config } = of
    // Of a transaction that began in the object store this disk may have the marker alone, and it has to stay.
    const isWhole = !config.isTiered && log.localStartOffset <= log.logStartOffset
    // Ages decide what is removed: after a step of the clock nothing is.
    if (!config.isCompacted || !isWhole || !isClockTrusted || log.isStopped) this.#candidates.delete(log)
    else this.#candidates.set(log, this.#measure(of))
    if (this.#running === undefined) this.#next()
  }

  #measure(of: CleanedLog): Candidate {
    const { log, config, stableOffset } = of
    const { cleanedOffset } = log.compaction
    const wallMs = this.#options.clock.now()
    const cleanable = cleanableOf(log.compaction.sealedBelow(stableOffset), { cleanedOffset, wallMs }, config)
    return { of, cleanable, isDue: this.#isDue(log, cleanable, { wallMs, config }) }
  }

  #isDue(log: PartitionLog, cleanable: Cleanable, { wallMs, config }: { readonly wallMs: number; readonly config: LogConfig }): boolean {
    const past = this.#past.get(log)
    if (cleanable.segments.length === 0 || this.#options.clock.monotonic() < (past?.notBefore ?? 0)) return false
    if (past !== undefined && past.horizon >= 0 && past.horizon <= wallMs) return true
    const [oldest] = cleanable.dirty
    if (oldest === undefined) return false
    if (cleanable.dirtyRatio > config.minCleanableRatio) return true
    const lagMsMax = Math.max(config.maxCompactionLagMs, config.minCompactionLagMs)
    return lagMsMax !== Infinity && isOlder(this.#firstTimestamp(log, oldest), wallMs - lagMsMax)
  }

  /** Read when it is first asked for: by the next look it is there. -1 until then, and where there is none. */
  #firstTimestamp(log: PartitionLog, oldest: CompactibleSegment): number {
    const known = this.#firstTimestamps.get(oldest.segment)
    if (known !== undefined) return known
    this.#firstTimestamps.set(oldest.segment, -1)
    log.compaction.firstTimestamp(oldest).then(
      (timestamp) => this.#firstTimestamps.set(oldest.segment, timestamp),
      () => this.#firstTimestamps.delete(oldest.segment),
    )
    return -1
  }

  #next(): void {
    if (this.#isStopped) return
    const due = [...this.#candidates.values()].filter(({ isDue }) => isDue)
    const [dirtiest] = due.sort((one, other) => other.cleanable.dirtyRatio - one.cleanable.dirtyRatio)
    if (dirtiest === undefined) return this.#rest()
    // Measured anew by the next look.
    this.#candidates.delete(dirtiest.of.log)
    const running = { log: dirtiest.of.log, done: Promise.resolve(), isWanted: true }
    this.#running = running
    running.done = this.#clean(dirtiest, running).finally(() => {
      this.#running = undefined
      this.#idleSince = this.#options.clock.monotonic()
      this.#next()
    })
  }

  /** The thread goes when there was nothing to do for long, and with it all memory that passes took. */
  #rest(): void {
    if (this.#io === undefined || this.#options.clock.monotonic() - this.#idleSince < this.#options.limits.idleMs) return
    void this.#io.close()
    this.#io = undefined
  }

  async #clean(candidate: Candidate, running: { isWanted: boolean }): Promise<void> {
    const { clock, limits, onEvent } = this.#options
    const { of: { topicName: topic, partition, log, config }, cleanable } = candidate
    const past: Past = { notBefore: clock.monotonic() + limits.retryMs, horizon: -1 }
    const begun = clock.monotonic()
    try {
      const done = await compactLog(this.#passOf(candidate, running))
      past.horizon = done.counts?.latestHorizon ?? -1
      const isComplete = done.indexed.endOffset >= (cleanable.segments.at(-1)?.endOffset ?? 0)
      past.notBefore = isComplete ? begun + this.#options.settings().backoffMs : 0
      const ms = clock.monotonic() - begun
      onEvent({ kind: 'cleaned', topic, partition, ms, isComplete, ...this.#count(done, ms), cleanedOffset: log.compaction.cleanedOffset })
    } catch (cause) {
      this.counts.failures++
      const isEnded = cause instanceof CompactionError && cause.code === 'ended'
      onEvent(isEnded ? { kind: 'ended', topic, partition, why: cause.message } : { kind: 'failed', topic, partition, cause })
      await this.#letGo()
    } finally {
      await this.#io?.end().catch(() => {})
      this.#past.set(log, { ...past, horizon: config.deleteRetentionMs === Infinity ? -1 : past.horizon })
    }
  }

  #passOf({ of, cleanable }: Candidate, running: { readonly isWanted: boolean }): LogPassOptions {
    const { clock, limits, onEvent } = this.#options
    const { topicName: topic, partition, log, config } = of
    let toldAt = clock.monotonic()
    return {
      io: (this.#io ??= this.#options.openIo()), compaction: log.compaction, cleanable, config, now: clock.now(),
      ...this.#options.settings(), inflatedBytesMax: limits.inflatedBytesMax, isWanted: () => running.isWanted,
      onProgress: (progress) => {
        if (clock.monotonic() - toldAt < limits.progressEveryMs) return
        toldAt = clock.monotonic()
        onEvent({ kind: 'progress', topic, partition, ...progress })
      },
    }
  }

  #count({ indexed, counts }: PassDone, ms: number) {
    const { bytesRead = 0, bytesKept = 0, recordsRead = 0, recordsKept = 0, unreadable = 0 } = counts ?? {}
    const recordsDropped = recordsRead - recordsKept
    this.counts.passes++
    this.counts.bytesRead += indexed.bytesRead + bytesRead
    this.counts.bytesWritten += bytesKept
    this.counts.recordsDropped += recordsDropped
    this.counts.ms += ms
    this.counts.lastPassAt = this.#options.clock.monotonic()
    this.counts.mapFill = indexed.keys / indexed.keysMax
    return { keys: indexed.keys, bytesBefore: bytesRead, bytesAfter: bytesKept, recordsDropped, unreadable }
  }

  /** A thread that failed is not asked again. */
  async #letGo(): Promise<void> {
    const io = this.#io
    this.#io = undefined
    await io?.close().catch(() => {})
  }

  /** The log is closed, or removed: resolves once nothing here works on it. */
  async leave(log: PartitionLog): Promise<void> {
    this.#candidates.delete(log)
    if (this.#running?.log === log) await this.#interrupt()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#interrupt()
    await this.#letGo()
  }

  async #interrupt(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    running.isWanted = false
    await this.#io?.end().catch(() => {})
    await running.done
  }
}

function isOlder(timestamp: number, than: number): boolean {
  return timestamp >= 0 && timestamp < than
}
