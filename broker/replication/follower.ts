// A partition that follows: what it asks its leader for, and what it does with the answer.
//
//   fetch from the log's end, with the epoch of the last record
//     -> batches            appended as they are; the next fetch says that they are durable here
//     -> a later log start  what lies below is deleted, and nothing waits for it
//     -> the logs part      cut off what the leader does not have, ask again
//     -> not on its disk    go on behind the object store, or behind the leader's log start where that has nothing

import { allRules, type Rules } from '../runtime/rules.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { fetchApi } from '../protocol/messages/fetch.ts'
import type { ReadOf } from '../protocol/schema.ts'
import type { Clock } from '../runtime/clock.ts'
import { truncationPoint } from './divergence.ts'
import { LogTrim } from './log-trim.ts'
import type { Partition } from './partition.ts'

export type FetchReply = ReadOf<typeof fetchApi.response.shape>
export type FetchedPartition = FetchReply['responses'][number]['partitions'][number]

/** As Fetch asks for it. */
export interface WantedPartition {
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly lastFetchedEpoch: number
  readonly logStartOffset: number
  readonly partitionMaxBytes: number
  readonly highWatermark: number
}

export interface FollowerOptions {
  readonly partition: Partition
  readonly bytesMax: number
  readonly clock: Clock
  /** Milliseconds after which a deletion that has failed is tried again. */
  readonly trimRetryMs: number
  /** For tests: a broker keeps all of them. */
  readonly rules?: Rules | undefined
  /**
   * The leader's disk begins behind the end of this log: it is to begin again behind what is in the object store, or where
   * the leader's log starts. Throws where that cannot be known now.
   */
  rejoin(partition: Partition, of: Rejoining): Promise<void>
  /** What went wrong, and is tried again. */
  onFault(partition: Partition, what: string, cause?: unknown): void
}

export interface Rejoining {
  /** Of the leader. */
  readonly logStartOffset: number
  /** What this log has beyond its beginning is not what the leader has there. */
  readonly isParted: boolean
  /** Whether the replica still follows in the epoch in which that was asked for. It may lead by the time that all is known. */
  isCurrent(): boolean
}

/** What came of an answer. `later`: not before a while. */
export type Progress = 'at once' | 'later'

export class Follower {
  readonly partition: Partition
  readonly leaderEpoch: number
  readonly #options: FollowerOptions
  readonly #trim: LogTrim

  constructor(options: FollowerOptions & { readonly leaderEpoch: number }) {
    this.#options = options
    this.partition = options.partition
    this.leaderEpoch = options.leaderEpoch
    const { partition, clock, trimRetryMs: retryMs, onFault } = options
    this.#trim = new LogTrim({
      log: partition.log, clock, retryMs, onFault: (cause) => onFault(partition, 'what the leader has deleted could not be deleted', cause),
    })
  }

  /** Whether it still follows in the epoch that it was made for. */
  get isCurrent(): boolean {
    const { role } = this.partition
    return role.kind === 'follows' && role.leaderEpoch === this.leaderEpoch
  }

  /** Ends what an earlier role has begun: from then on only this writes. Never rejects. */
  async begin(): Promise<void> {
    const { partition, onFault } = this.#options
    try {
      await this.#begin(partition.log)
    } catch (cause) {
      onFault(partition, 'what an earlier role has left could not be put in order', cause)
    }
  }

  async #begin(log: Partition['log']): Promise<void> {
    const { partition, rules = allRules } = this.#options
    await log.settled()
    // It led an epoch in which nothing was written. What its leader has from here on may be of an earlier one (KAFKA-10706).
    const hasEmptyEpoch = (log.epochs.starts.at(-1)?.startOffset ?? -1) >= log.endOffset
    if (hasEmptyEpoch && this.isCurrent) await log.truncateTo(log.endOffset)
    // As Kafka did before KIP-101. Where the logs part is found out by asking the leader, and in no other way.
    if (rules.isRemoved('followers truncate by epoch')) await partition.log.truncateTo(partition.highWatermark)
  }

  wanted(): WantedPartition {
    const { log, partition } = this.partition
    const fetchOffset = log.endOffset
    return {
      partition, fetchOffset, currentLeaderEpoch: this.leaderEpoch, partitionMaxBytes: this.#options.bytesMax,
      lastFetchedEpoch: log.epochs.epochAt(fetchOffset - 1) ?? -1, logStartOffset: log.logStartOffset,
      highWatermark: this.partition.highWatermark,
    }
  }

  /** Whether the answer is only to be appended: all else takes its time. */
  isQuick({ errorCode, divergingEpoch }: FetchedPartition): boolean {
    return errorCode === ErrorCode.NONE && !(divergingEpoch.endOffset >= 0)
  }

  /** Resolves when what was answered is carried out, and durable. Never rejects. */
  async take(fetched: FetchedPartition): Promise<Progress> {
    if (!this.isCurrent) return 'later'
    try {
      return await this.#take(fetched)
    } catch (cause) {
      this.#options.onFault(this.partition, 'what the leader answered could not be carried out', cause)
      return 'later'
    }
  }

  async #take(fetched: FetchedPartition): Promise<Progress> {
    const { errorCode, divergingEpoch: diverging, logStartOffset } = fetched
    const { log } = this.partition
    const isBehind = errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && log.endOffset < logStartOffset
    if (isBehind || errorCode === ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE) {
      await this.#beginAnew(logStartOffset, { isParted: false })
      return 'at once'
    }
    if (errorCode !== ErrorCode.NONE) {
      if (!expected.has(errorCode)) this.#options.onFault(this.partition, `the leader answered with code ${errorCode}`)
      return 'later'
    }
    if (diverging.endOffset >= 0) return this.#truncate(diverging, logStartOffset)
    const { records } = fetched
    if (records !== null && records.length > 0) {
      const appended = await log.replicate(records)
      if (appended.errorCode !== ErrorCode.NONE) {
        this.#options.onFault(this.partition, `what the leader sent was not appended: ${appended.errorMessage}`)
        return 'later'
      }
    }
    if (!this.isCurrent) return 'later'
    this.partition.learnHighWatermark(fetched.highWatermark)
    this.#trim.to(logStartOffset)
    return 'at once'
  }

  async #truncate(diverging: { readonly epoch: number; readonly endOffset: number }, logStartOffset: number): Promise<Progress> {
    const { log } = this.partition
    const offset = Math.max(truncationPoint(log.epochs, diverging, log.endOffset), log.logStartOffset)
    this.#options.onFault(this.partition, `the leader's log parts from this one at ${offset} of ${log.endOffset}: the rest is cut off`)
    if (offset < log.localStartOffset) await this.#beginAnew(logStartOffset, { isParted: true })
    else await log.truncateTo(offset)
    return 'at once'
  }

  #beginAnew(logStartOffset: number, { isParted }: { readonly isParted: boolean }): Promise<void> {
    return this.#options.rejoin(this.partition, { logStartOffset, isParted, isCurrent: () => this.isCurrent })
  }
}

/** Either side has not heard of the newest leader yet, or the leader has not taken its role. */
const expected: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.UNKNOWN_LEADER_EPOCH, ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.REPLICA_NOT_AVAILABLE,
])
