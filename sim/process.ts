// A process in the simulation. It can be paused (SIGSTOP: the world goes on, its memory stays) and it can end; what was
// on its way to it then waits or is lost. Everything that comes back to a process comes back through `deliver`.

import type { Clock, Timer } from '../broker/runtime/clock.ts'
import type { Random } from '../broker/runtime/random.ts'
import type { SeededRandom } from '../test/support/seeded-random.ts'
import type { Scheduled, Scheduler } from './scheduler.ts'

/** The wall clock when a simulation begins. */
export const beginning = 1_700_000_000_000

/** How a host's clocks differ from the others'. */
export interface HostTime {
  /** Milliseconds by which its wall clock is ahead. */
  skewMs: number
  /** More of it, which the next process does not see. */
  leapMs?: number
  /** Milliseconds of its own in one millisecond of the world. */
  rate: number
}

export class SimProcess implements Random {
  readonly name: string
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly #dice: SeededRandom
  #state: 'running' | 'paused' | 'ended' = 'running'
  /** What arrived while it was paused. */
  #backlog: (() => void)[] = []
  readonly #onEnd: ((isSilent: boolean) => void)[] = []

  constructor(name: string, scheduler: Scheduler, time: HostTime = { skewMs: 0, rate: 1 }) {
    this.name = name
    this.scheduler = scheduler
    this.#dice = scheduler.dice(name)
    this.clock = {
      now: () => Math.floor(beginning + scheduler.now + time.skewMs + (time.leapMs ?? 0)),
      monotonic: () => scheduler.now * time.rate,
      after: (delayMs, run) => this.#timer(delayMs / time.rate, run),
    }
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  get hasEnded(): boolean {
    return this.#state === 'ended'
  }

  fraction(): number {
    return this.#dice.fraction()
  }

  bytes(length: number): Buffer {
    return this.#dice.bytes(length)
  }

  /** Runs in the process: now, or when it goes on; not at all once it has ended. */
  deliver(run: () => void): void {
    if (this.#state === 'running') run()
    else if (this.#state === 'paused') this.#backlog.push(run)
  }

  /** Resolves in the process after a time, unless it has ended by then. */
  wait(delayMs: number, what: string): Promise<void> {
    return new Promise((resolve) => this.scheduler.after(delayMs, `${this.name} ${what}`, () => this.deliver(resolve)))
  }

  /**
   * A call into the world outside: it takes effect once `beforeMs` have passed, whatever has become of the process, and
   * the process hears of it `afterMs` later. `run` must need no virtual time.
   */
  call<T>(what: string, times: { readonly beforeMs: number; readonly afterMs: number }, run: () => Promise<T>): Promise<T> {
    const { scheduler } = this
    return new Promise((resolve, reject) => {
      scheduler.after(times.beforeMs, `${this.name} ${what}`, () => {
        const answer = (give: () => void) => {
          if (times.afterMs === 0) return this.deliver(give)
          scheduler.after(times.afterMs, `${this.name} hears of ${what}`, () => this.deliver(give))
        }
        run().then((value) => answer(() => resolve(value)), (cause: unknown) => answer(() => reject(cause)))
      })
    })
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    for (const run of this.#backlog.splice(0)) run()
  }

  /** The process ends without a word; where it is `silent`, its system does not speak for it either: the host is gone. */
  end({ isSilent = false }: { readonly isSilent?: boolean } = {}): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#backlog = []
    for (const run of this.#onEnd.splice(0)) run(isSilent)
  }

  onEnd(run: (isSilent: boolean) => void): void {
    this.#onEnd.push(run)
  }

  #timer(delayMs: number, run: () => void): Timer {
    let isCancelled = false
    const event: Scheduled = this.scheduler.after(delayMs, `${this.name} timer`, () => {
      this.deliver(() => {
        if (!isCancelled) run()
      })
    })
    return {
      cancel: () => {
        isCancelled = true
        event.cancel()
      },
    }
  }
}
