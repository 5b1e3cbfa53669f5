// Whether transactions get stuck: the last stable offset of each partition is looked at all the time. Where it stays for
// longer than a transaction's timeout and what the coordinator may take to see to it, somebody was forgotten. Time in which
// nobody can be asked, since the only broker was killed, does not count.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Ends, endsOf } from '../support/committed-records.ts'

export interface StabilityOptions {
  readonly bootstrap: readonly string[]
  readonly topic: string
  readonly partitions: number
  /** For how long an offset below the end may be the last stable one. */
  readonly stuckMsMax: number
}

const everyMs = 500

export class Stability {
  readonly violations: string[] = []
  /** The longest time that a partition was not stable at one offset, in ms. */
  longestMs = 0
  samples = 0
  readonly #options: StabilityOptions
  readonly #since = new Map<number, { readonly offset: number; stuckMs: number; at: number }>()
  readonly #stopping = new AbortController()
  readonly #loop: Promise<void>

  constructor(options: StabilityOptions) {
    this.#options = options
    this.#loop = this.#watch()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
  }

  /** Resolves when every partition is stable to its end; false: not within the time. */
  async settles(): Promise<boolean> {
    const { partitions, stuckMsMax } = this.#options
    for (const deadline = performance.now() + stuckMsMax; performance.now() < deadline; await sleep(200)) {
      const ends = await Promise.all(Array.from({ length: partitions }, (_, partition) => this.#ends(partition)))
      if (ends.every((one) => one !== undefined && one.lastStable === one.high)) return true
    }
    return false
  }

  async #watch(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      for (let partition = 0; partition < this.#options.partitions; partition++) this.#note(partition, await this.#ends(partition))
      await sleep(everyMs)
    }
  }

  /** Undefined where nobody could be asked. */
  async #ends(partition: number): Promise<Ends | undefined> {
    for (const address of this.#options.bootstrap) {
      const ends = await endsOf(address, { topic: this.#options.topic, partition }).catch(() => undefined)
      if (ends !== undefined) return ends
    }
    return undefined
  }

  #note(partition: number, ends: Ends | undefined): void {
    const now = performance.now()
    const before = this.#since.get(partition)
    if (ends === undefined) {
      if (before !== undefined) before.at = now
      return
    }
    this.samples++
    if (ends.lastStable === ends.high) this.#since.delete(partition)
    else if (before?.offset !== ends.lastStable) this.#since.set(partition, { offset: ends.lastStable, stuckMs: 0, at: now })
    else {
      before.stuckMs += now - before.at
      before.at = now
      this.longestMs = Math.max(this.longestMs, before.stuckMs)
      if (before.stuckMs <= this.#options.stuckMsMax) return
      this.violations.push(`stuck: partition ${partition} is stable to ${ends.lastStable} of ${ends.high} since ${Math.round(before.stuckMs)} ms`)
      before.stuckMs = 0
    }
  }
}
