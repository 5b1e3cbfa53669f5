// A lease is an item in the table that its holder writes again and again: a broker's session, and who is the controller.
//
//   holder     it is mine until `ttlMs` after I *sent* the last renewal that succeeded
//   observer   it is over once I have seen one and the same version for `ttlMs`, by my own monotonic clock
//
// Wall clocks are never compared, and a table that deletes old items by itself is never an expiry. Nothing that is safe
// depends on a lease: it decides who tries, and epochs in conditional writes decide who succeeds (docs/invariants.md).

import { type Clock, sleep } from '../runtime/clock.ts'
import { withTimeout } from '../runtime/timeout.ts'
import type { Item, Json, Key, Table } from '../table/table.ts'

export interface LeaseLimits {
  /** Milliseconds for which a lease holds without renewal. */
  readonly ttlMs: number
  /**
   * Milliseconds between two renewals, for one of which is waited no longer, and between two looks at somebody else's lease;
   * several fit into `ttlMs`.
   */
  readonly renewEveryMs: number
}

export interface LeaseOptions {
  readonly table: Table
  readonly clock: Clock
  readonly key: Key
  /** What tells this holder from every other and from its own earlier life: an incarnation, not a broker's number. */
  readonly holder: string
  /** What others may read of the holder. */
  readonly facts?: Json
  readonly limits: LeaseLimits
  /** It is held, and was not until now: it was just taken, or renewed too late, and others may have acted on that. */
  onTaken?(): void
  /** A renewal failed and is tried again; the lease holds until its time is over. */
  onFault(cause: unknown): void
}

interface Held {
  readonly version: number
  /** Monotonic. */
  readonly until: number
}

export class Lease {
  readonly #options: LeaseOptions
  #held: Held | undefined
  /** Counts up whenever it is given up or somebody else has it: no answer to an earlier renewal brings it back. */
  #losses = 0
  #term = 0
  readonly #others: LeaseWatch

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#others = new LeaseWatch(options.limits)
  }

  /** Whether it is ours now. To be asked again after every wait: an overdue timer is a normal failure. */
  get isHeld(): boolean {
    return this.#held !== undefined && this.#options.clock.monotonic() < this.#held.until
  }

  /** Which of the times is this that it is held without a break; counted from 1. */
  get term(): number {
    return this.#term
  }

  /** Monotonic milliseconds at which it ends unless it is renewed; -Infinity where it is not ours. */
  get heldUntil(): number {
    return this.#held?.until ?? -Infinity
  }

  /** Monotonic: when somebody else's lease will have ended, as it was last seen; Infinity where that is not waited for. */
  othersEnd(now: number): number {
    return this.isHeld ? Infinity : this.#others.nextEnd(now)
  }

  /**
   * Takes the lease whoever has it: for a session, which belongs to the newest start of a broker. Throws `TableError`.
   * False where somebody else took it in the same moment.
   */
  async seize(): Promise<boolean> {
    const item = await this.#options.table.get(this.#options.key)
    return this.#write(item)
  }

  /**
   * Renews the lease, or takes it where it is free or its holder has not renewed it for its whole time. False where it
   * is somebody else's. Throws `TableError`.
   */
  async acquire(): Promise<boolean> {
    const { table, clock, key, holder } = this.#options
    if (this.#held !== undefined && (await this.#writeOver(this.#held.version))) return true
    const item = await table.get(key)
    const owner = item === undefined ? free : holderOf(item)
    if (owner === free || owner === holder) return this.#write(item)
    this.#lose()
    const now = clock.monotonic()
    this.#others.observe([item!], now)
    return this.#others.isAlive(key.sort, owner, now) ? false : this.#write(item)
  }

  /**
   * Renews what is held. False where somebody else has taken it: then it is gone for good. Throws `TableError`, and what
   * `signal` aborts with once this renewal is given up for another one.
   */
  async renew(signal?: AbortSignal): Promise<boolean> {
    const { table, key, holder } = this.#options
    let version = this.#held?.version
    while (version === undefined || !(await this.#writeOver(version))) {
      // Somebody else has it, or a renewal whose answer was lost or is late had succeeded; one after another, where several did.
      signal?.throwIfAborted()
      const item = await table.get(key)
      signal?.throwIfAborted()
      if (item === undefined || holderOf(item) !== holder) {
        this.#lose()
        return false
      }
      version = item.version
    }
    return true
  }

  /**
   * Renews every `renewEveryMs` until `signal` aborts. Resolves to false at once where somebody else has taken it. A table that
   * is silent costs no more than one that fails: what is not answered by the time of the next renewal is not waited for.
   */
  async keep(signal: AbortSignal): Promise<boolean> {
    const { clock, limits, onFault } = this.#options
    const once = { clock, timeoutMs: limits.renewEveryMs }
    for (let sentAt = clock.monotonic(); ;) {
      await sleep(clock, sentAt + limits.renewEveryMs - clock.monotonic(), signal)
      if (signal.aborted) return true
      sentAt = clock.monotonic()
      try {
        if (!(await withTimeout(once, (givenUp) => this.renew(givenUp)))) return false
      } catch (cause) {
        onFault(cause)
      }
    }
  }

  /** Gives it up, so that nobody waits for its end. What fails is left to time. */
  async release(): Promise<void> {
    const { table, key, onFault } = this.#options
    const held = this.#held
    this.#lose()
    if (held === undefined) return
    try {
      // Not deleted: a version that starts over could be taken for one that was seen before.
      await table.commit([{ kind: 'put', key, value: { holder: free, facts: null }, expect: held.version }])
    } catch (cause) {
      onFault(cause)
    }
  }

  #write(item: Item | undefined): Promise<boolean> {
    return this.#writeOver(item?.version ?? 0)
  }

  /** `version`: of the item as it is; 0 where there is none. */
  async #writeOver(version: number): Promise<boolean> {
    const { table, clock, key, holder, facts = null, limits } = this.#options
    const sentAt = clock.monotonic()
    const losses = this.#losses
    const expect = version === 0 ? 'absent' : version
    const { committed } = await table.commit([{ kind: 'put', key, value: { holder, facts }, expect }])
    if (committed && losses === this.#losses) this.#hold({ version: version + 1, until: sentAt + limits.ttlMs })
    return committed
  }

  /** Whoever writes a version has read the one before, so a later version was also sent later; answers come in any order. */
  #hold(held: Held): void {
    if (this.#held !== undefined && held.version <= this.#held.version) return
    // What was renewed in time and answered too late counts as a break as well: until now nobody here could know.
    const isUnbroken = this.isHeld
    this.#held = held
    if (isUnbroken) return
    this.#term++
    this.#options.onTaken?.()
  }

  #lose(): void {
    this.#losses++
    this.#held = undefined
  }
}

/** Nobody's. */
const free = ''

function holderOf({ value }: Item): string {
  return (value as { holder: string }).holder
}

interface Seen {
  readonly version: number
  readonly holder: string
  /** When it was first there. */
  readonly at: number
  /** The look before that, if it saw an earlier version of the same holder. */
  readonly renewedAfter: number
}

/** Which leases of one table partition have ended, as one observer sees it. */
export class LeaseWatch {
  readonly #ttlMs: number
  readonly #seen = new Map<string, Seen>()
  #lookedAt = -Infinity

  constructor({ ttlMs }: Pick<LeaseLimits, 'ttlMs'>) {
    this.#ttlMs = ttlMs
  }

  /** Takes note of what a query returned; `at`: monotonic, from after the answer came. */
  observe(items: readonly Item[], at: number): void {
    const there = new Set(items.map(({ sort }) => sort))
    for (const sort of this.#seen.keys()) if (!there.has(sort)) this.#seen.delete(sort)
    for (const item of items) {
      const { sort, version } = item
      const holder = holderOf(item)
      const seen = this.#seen.get(sort)
      if (seen?.version === version && seen.holder === holder) continue
      this.#seen.set(sort, { version, holder, at, renewedAfter: seen?.holder === holder ? this.#lookedAt : -Infinity })
    }
    this.#lookedAt = at
  }

  /** Of the item as it was last seen: who has renewed since has a higher one. */
  seenVersion(sort: string): number | 'absent' {
    return this.#seen.get(sort)?.version ?? 'absent'
  }

  /** Monotonic: this holder has renewed its lease later than that; -Infinity where nothing was seen of it. */
  renewedAfter(sort: string, holder: string): number {
    const seen = this.#seen.get(sort)
    return seen?.holder === holder ? seen.renewedAfter : -Infinity
  }

  /** Whether this holder's lease is there and was renewed within its time, as of a monotonic `now`. */
  isAlive(sort: string, holder: string, now: number): boolean {
    const seen = this.#seen.get(sort)
    return seen !== undefined && holder !== free && seen.holder === holder && now - seen.at < this.#ttlMs
  }

  /** Monotonic: when the first of those that have not ended will have, unless it is renewed; Infinity where there is none. */
  nextEnd(now: number): number {
    return [...this.#seen.values()].reduce((next, { at }) => (at + this.#ttlMs > now ? Math.min(next, at + this.#ttlMs) : next), Infinity)
  }
}
