// Time under a seed. Everything that happens in a simulation is an event at a virtual time; between two events every
// promise that can go on does. Two runs of one seed have the same events in the same order, and the hash of the trace
// says so.

import { createHash } from 'node:crypto'
import { SeededRandom } from '../test/support/seeded-random.ts'

export interface Scheduled {
  /** Has no effect once it has happened. */
  cancel(): void
}

interface Event {
  readonly at: number
  readonly order: number
  readonly what: string
  run: (() => void | Promise<void>) | undefined
}

export class Scheduler {
  readonly random: SeededRandom
  readonly #seed: number
  readonly #events: Event[] = []
  readonly #hash = createHash('sha256')
  readonly #onLine: ((line: string) => void) | undefined
  #now = 0
  #order = 0
  #happened = 0

  /** `onLine` hears every line of the trace, for who looks for where two runs part. */
  constructor(seed: number, onLine?: (line: string) => void) {
    this.#seed = seed
    this.random = new SeededRandom(seed)
    this.#onLine = onLine
  }

  /** Virtual milliseconds since the simulation began. */
  get now(): number {
    return this.#now
  }

  /** Events that have happened. */
  get happened(): number {
    return this.#happened
  }

  /** Dice of one part's own, so that what one part draws does not change what another does. */
  dice(part: string): SeededRandom {
    const digest = createHash('sha256').update(`${this.#seed}/${part}`).digest()
    return new SeededRandom(digest.readInt32BE(0))
  }

  /** `what` is for the trace. Events of one time happen in the order in which they were scheduled. */
  after(delayMs: number, what: string, run: () => void | Promise<void>): Scheduled {
    const event: Event = { at: this.#now + Math.max(delayMs, 0), order: this.#order++, what, run }
    this.#push(event)
    return { cancel: () => (event.run = undefined) }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, 'sleep', resolve))
  }

  /** Writes into the trace what happened. */
  note(what: string): void {
    const line = `${this.#now.toFixed(3)} ${what}\n`
    this.#hash.update(line)
    this.#onLine?.(line)
  }

  /** Of the trace so far; two runs of one seed have the same. */
  traceHash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }

  /** Lets virtual time pass up to `untilMs`, or until `isOver`. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settled()
    while (!isOver()) {
      const next = this.#events[0]
      if (next === undefined || next.at > untilMs) break
      this.#pop()
      if (next.run === undefined) continue
      this.#now = next.at
      this.#happened++
      this.note(next.what)
      await next.run()
      await settled()
    }
    if (!isOver()) this.#now = Math.max(this.#now, untilMs)
  }

  #push(event: Event): void {
    const events = this.#events
    let index = events.length
    events.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(event, events[parent]!)) break
      events[index] = events[parent]!
      index = parent
    }
    events[index] = event
  }

  #pop(): void {
    const events = this.#events
    const last = events.pop()!
    if (events.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= events.length) break
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++
      if (!isBefore(events[child]!, last)) break
      events[index] = events[child]!
      index = child
    }
    events[index] = last
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}

/** Microtasks are all done before the system's loop turns once. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
