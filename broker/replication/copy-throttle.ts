// The pace of copies that an operator slows down (KIP-73): `follower.replication.throttled.rate` of this broker, in bytes per
// second, for the replicas that `follower.replication.throttled.replicas` of a topic names. Those that are in sync are never
// slowed down: the high watermark waits for them. An answer is counted when it is there, so the pace is kept on average.
//
// Not supported: the same of leaders. Each follower keeps to its own, and the leader's is accepted without effect.

import type { Clock } from '../runtime/clock.ts'
import type { Partition } from './partition.ts'

export interface CopyThrottleOptions {
  readonly clock: Clock
  bytesPerSecond(): number
  /** Whether this copy is one of those that are slowed down, as the settings and the in-sync replicas are now. */
  concerns(partition: Partition): boolean
}

export class CopyThrottle {
  readonly #options: CopyThrottleOptions
  /** Bytes that may be asked for; below 0 after an answer that was larger. */
  #bytes = 0
  #filledAt: number

  constructor(options: CopyThrottleOptions) {
    this.#options = options
    this.#filledAt = options.clock.monotonic() - secondMs
  }

  /** Copies that may not be asked for now. */
  held(): (partition: Partition) => boolean {
    const rate = this.#options.bytesPerSecond()
    if (!isLimited(rate)) return () => false
    const now = this.#options.clock.monotonic()
    // What was not used is kept for a second and no longer.
    this.#bytes = Math.min(this.#bytes + ((now - this.#filledAt) * rate) / secondMs, rate)
    this.#filledAt = now
    return this.#bytes > 0 ? () => false : (partition) => this.#options.concerns(partition)
  }

  took(partition: Partition, bytes: number): void {
    if (isLimited(this.#options.bytesPerSecond()) && this.#options.concerns(partition)) this.#bytes -= bytes
  }
}

const secondMs = 1000

/** Kafka's default is the largest of its numbers. */
function isLimited(rate: number): boolean {
  return Number.isSafeInteger(rate)
}

/** Whether a setting such as `0:1,3:1`, partition and broker, or `*`, names a replica. */
export function namesReplica(setting: readonly string[], of: { readonly partition: number; readonly brokerId: number }): boolean {
  return setting.includes('*') || setting.includes(`${of.partition}:${of.brokerId}`)
}
