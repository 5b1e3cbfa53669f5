import { backoffMs } from '../runtime/backoff.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { PartitionUpload } from './partition-upload.ts'
import { type TierError, tierErrorOf } from './tier-error.ts'
import type { OnTierEvent } from './tier-events.ts'
import { UploadPace, type UploadPaceLimits } from './upload-pace.ts'

export interface UploaderOptions {
  readonly clock: Clock
  readonly random: Random
  readonly limits: UploaderLimits
  readonly onEvent: OnTierEvent
}

export interface UploaderLimits extends UploadPaceLimits {
  /** Uploads at a time over all partitions. */
  readonly uploadsMax: number
  /** The most that the first repetition waits, in milliseconds; the most doubles with each. */
  readonly uploadRetryMs: number
  /** The longest wait between repetitions, in milliseconds; also what a damaged segment waits for. */
  readonly uploadRetryMsMax: number
}

/** Where a partition stands. At most one upload of each is under way: a manifest grows at its end. */
type Standing =
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'uploading'; readonly abort: AbortController; isWanted: boolean }
  | { readonly kind: 'resting'; readonly timer: Timer }

interface Entry {
  standing: Standing
  failures: number
}

/**
 * Uploads of all partitions of a broker, whoever has waited longest since its seal first. The queue holds partitions
 * and not segments, so that it is as long as there are partitions: what is next is asked of the partition itself.
 */
export class Uploader {
  readonly #options: UploaderOptions
  readonly #entries = new Map<PartitionUpload, Entry>()
  /** Of the entries, so that an offer does not look at all partitions. */
  readonly #waiting = new Set<PartitionUpload>()
  readonly #pace: UploadPace
  #timer: Timer | undefined
  #uploading = 0
  #uploadedBytes = 0
  #uploadedSegments = 0
  #errors = 0

  constructor(options: UploaderOptions) {
    this.#options = options
    this.#pace = new UploadPace(options.clock, options.limits)
  }

  get counts(): { readonly uploadedBytes: number; readonly uploadedSegments: number; readonly uploadErrors: number } {
    return { uploadedBytes: this.#uploadedBytes, uploadedSegments: this.#uploadedSegments, uploadErrors: this.#errors }
  }

  /** Says that there may be something to upload. A partition that rests after a failure goes on resting. */
  offer(partition: PartitionUpload): void {
    const entry = this.#entries.get(partition) ?? { standing: { kind: 'idle' }, failures: 0 }
    this.#entries.set(partition, entry)
    if (entry.standing.kind === 'uploading') entry.standing.isWanted = true
    if (entry.standing.kind !== 'idle') return
    this.#wait(partition, entry)
    this.#startNext()
  }

  /** Forgets the partition, and stops what is under way of it. */
  withdraw(partition: PartitionUpload): void {
    const standing = this.#entries.get(partition)?.standing
    this.#entries.delete(partition)
    this.#waiting.delete(partition)
    if (standing?.kind === 'resting') standing.timer.cancel()
    if (standing?.kind === 'uploading') standing.abort.abort()
  }

  #startNext(): void {
    while (this.#uploading < this.#options.limits.uploadsMax) {
      const next = this.#oldest()
      if (next === undefined) return
      const waitMs = this.#pace.waitMs(next.waitingBytes)
      if (waitMs > 0) return this.#startLater(waitMs)
      this.#uploading++
      void this.#upload(next.partition, next.entry).finally(() => {
        this.#uploading--
        this.#startNext()
      })
    }
  }

  #startLater(waitMs: number): void {
    this.#timer ??= this.#options.clock.after(waitMs, () => {
      this.#timer = undefined
      this.#startNext()
    })
  }

  #oldest(): { partition: PartitionUpload; entry: Entry; waitingBytes: number } | undefined {
    let oldest: { partition: PartitionUpload; entry: Entry } | undefined
    let least = Infinity
    let waitingBytes = 0
    for (const partition of this.#waiting) {
      const entry = this.#entries.get(partition)!
      const { sealedAt, bytes } = partition.lag
      waitingBytes += bytes
      if (sealedAt === undefined) this.#settle(partition, entry, { kind: 'idle' })
      else if (sealedAt < least) {
        least = sealedAt
        oldest = { partition, entry }
      }
    }
    return oldest === undefined ? undefined : { ...oldest, waitingBytes }
  }

  #wait(partition: PartitionUpload, entry: Entry): void {
    entry.standing = { kind: 'waiting' }
    this.#waiting.add(partition)
  }

  #settle(partition: PartitionUpload, entry: Entry, standing: Standing): void {
    entry.standing = standing
    this.#waiting.delete(partition)
  }

  async #upload(partition: PartitionUpload, entry: Entry): Promise<void> {
    const standing: Standing = { kind: 'uploading', abort: new AbortController(), isWanted: false }
    this.#settle(partition, entry, standing)
    try {
      const bytes = await partition.uploadNext(standing.abort.signal)
      entry.failures = 0
      if (bytes !== undefined) {
        this.#uploadedBytes += bytes
        this.#pace.spend(bytes)
        this.#uploadedSegments++
      }
      if (!this.#entries.has(partition)) return
      if (bytes !== undefined || standing.isWanted) this.#wait(partition, entry)
      else entry.standing = { kind: 'idle' }
    } catch (cause) {
      this.#rest(partition, entry, tierErrorOf(`uploading ${partition.name}`, cause))
    }
  }

  #rest(partition: PartitionUpload, entry: Entry, error: TierError): void {
    if (!this.#entries.has(partition)) return
    const { clock, random, limits, onEvent } = this.#options
    this.#errors++
    entry.failures++
    if (error.code === 'fenced' || error.code === 'gone') {
      // Another leader has the partition: there is nothing to repeat in this term.
      onEvent({ kind: 'fenced', partition: partition.name, error })
      this.#entries.delete(partition)
      return
    }
    const { uploadRetryMs: firstMs, uploadRetryMsMax: maxMs } = limits
    const retryMs = error.code === 'damaged' ? maxMs : backoffMs(entry.failures, { firstMs, maxMs, random })
    onEvent({ kind: 'upload failed', partition: partition.name, error, attempt: entry.failures, retryMs })
    const timer = clock.after(retryMs, () => {
      this.#wait(partition, entry)
      this.#startNext()
    })
    entry.standing = { kind: 'resting', timer }
  }
}
