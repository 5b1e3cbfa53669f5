// Whether this broker is one of the cluster's: its session, which it renews as long as it lives, and its place among those
// that serve, which it asks for again where somebody took it for dead.

import { type Clock, sleep } from '../runtime/clock.ts'
import type { Uuid } from '../runtime/random.ts'
import type { Table } from '../table/table.ts'
import { Lease, type LeaseLimits } from './lease.ts'
import { planUnfence, type RulesOf } from './leadership.ts'
import type { MetadataLog } from './metadata-log.ts'

/** Where each broker's session is an item, by its id. */
export const sessionsPartition = 'sessions'

export interface MembershipLimits extends LeaseLimits {
  /** Milliseconds that a broker lets pass before it asks to serve again: whoever fenced it may have had a reason. */
  readonly unfenceAfterMs: number
}

export interface MembershipOptions {
  readonly table: Table
  readonly clock: Clock
  readonly metadata: Pick<MetadataLog, 'image' | 'change' | 'refresh'>
  readonly brokerId: number
  readonly incarnation: Uuid
  readonly limits: MembershipLimits
  readonly rulesOf: RulesOf
  onFault(cause: unknown, doing: string): void
  /** Another start of the same broker has taken its place, or an operator took it out: this one has to end. */
  onReplaced(): void
}

export class Membership {
  readonly #options: MembershipOptions
  readonly #session: Lease
  readonly #stopping = new AbortController()
  #brokerEpoch = -1
  /** The term of the session at whose beginning the metadata was looked at. */
  #lookedInTerm = 0
  #fencedSince: number | undefined
  #running: Promise<unknown> = Promise.resolve()

  private constructor(options: MembershipOptions) {
    const { table, clock, brokerId, incarnation, limits } = options
    this.#options = options
    this.#session = new Lease({
      table, clock, limits, holder: incarnation, key: { partition: sessionsPartition, sort: String(brokerId) },
      onFault: (cause) => options.onFault(cause, 'renewing the session'), onTaken: () => void this.#lookBack(),
    })
  }

  /** Takes the session over from whichever earlier start has it. Throws `TableError`. */
  static async begin(options: MembershipOptions): Promise<Membership> {
    const membership = new Membership(options)
    for (let isHeld = false; !isHeld;) isHeld = await membership.#session.seize()
    return membership
  }

  /**
   * Whether nobody can have taken this broker for dead without its knowing. To be asked again after every wait. A session that
   * had lapsed says nothing of the time before: not until the metadata was looked at does the broker know what others did.
   */
  get isHeld(): boolean {
    return this.#session.isHeld && this.#session.term === this.#lookedInTerm
  }

  /** Of this start, once it is registered. */
  get brokerEpoch(): number {
    return this.#brokerEpoch
  }

  /** Keeps the session from now on: the broker is registered, in the newest metadata, and had the session before that. */
  registered(brokerEpoch: number): void {
    this.#brokerEpoch = brokerEpoch
    this.#lookedInTerm = this.#session.term
    const { signal } = this.#stopping
    const kept = this.#session.keep(signal).then((isKept) => {
      if (!isKept && !signal.aborted) this.#options.onReplaced()
    })
    this.#running = Promise.all([kept, this.#serveOn()])
  }

  /** Neither renews the session nor asks to serve again: the broker is about to leave. */
  rest(): void {
    this.#stopping.abort()
  }

  /** Lets others have what this broker did without waiting for the session's end. */
  async end(): Promise<void> {
    this.rest()
    await this.#running
    await this.#session.release()
  }

  async #serveOn(): Promise<void> {
    const { clock, limits, onFault } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await sleep(clock, limits.renewEveryMs, signal)
      if (signal.aborted) return
      try {
        await this.#lookAtPlace()
      } catch (cause) {
        onFault(cause, 'asking to serve again')
      }
    }
  }

  async #lookBack(): Promise<void> {
    const { metadata, clock, limits, onFault } = this.#options
    const { signal } = this.#stopping
    const { term } = this.#session
    // Who is not registered yet has nothing to look back at.
    if (this.#brokerEpoch < 0) return
    while (term === this.#session.term && this.#lookedInTerm < term && !signal.aborted) {
      try {
        await metadata.refresh()
        this.#lookedInTerm = Math.max(this.#lookedInTerm, term)
      } catch (cause) {
        onFault(cause, 'looking at what others did without it')
        await sleep(clock, limits.renewEveryMs, signal)
      }
    }
  }

  async #lookAtPlace(): Promise<void> {
    const { metadata, brokerId, clock, limits, rulesOf, onReplaced } = this.#options
    const own = metadata.image.brokers.get(brokerId)
    if (own === undefined || own.brokerEpoch > this.#brokerEpoch) return onReplaced()
    if (!own.isFenced) {
      this.#fencedSince = undefined
      return
    }
    this.#fencedSince ??= clock.monotonic()
    if (!this.isHeld || clock.monotonic() - this.#fencedSince < limits.unfenceAfterMs) return
    const broker = { brokerId, brokerEpoch: this.#brokerEpoch }
    await metadata.change((image) => ({ records: planUnfence(image, broker, rulesOf), answer: undefined }))
  }
}
