import { type Clock, sleep } from '../runtime/clock.ts'
import type { HandOverPace } from './hand-over-pace.ts'
import type { LeaderTerm } from './leader-term.ts'

/** What is looked at of a partition. */
export interface Watched {
  readonly term: Pick<LeaderTerm, 'look' | 'isCutOff' | 'ageMs' | 'isOver'> | undefined
}

export interface LeaderWatchOptions<P extends Watched> {
  readonly clock: Clock
  /** Those of this broker. */
  readonly partitions: Iterable<P>
  /** Milliseconds between two looks. */
  readonly everyMs: number
  readonly pace: HandOverPace<P>
  /** Lets others lead what is cut off from its followers, where there is anybody. */
  handOver(cutOff: readonly P[]): Promise<void>
  onFault(cause: unknown): void
}

/**
 * Notices followers that have gone silent, which brings no event: they leave the in-sync replicas, or lead instead. It waits for
 * nothing, neither for a disk nor for a store nor for what it began itself: writes wait for it.
 */
export class LeaderWatch<P extends Watched> {
  readonly #options: LeaderWatchOptions<P>
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  #handingOver: Promise<void> | undefined

  constructor(options: LeaderWatchOptions<P>) {
    this.#options = options
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
    await this.#handingOver
  }

  async #run(): Promise<void> {
    const { clock, partitions, everyMs } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      for (const { term } of partitions) term?.look()
      this.#handingOver ??= this.#handOver().finally(() => (this.#handingOver = undefined))
      await sleep(clock, everyMs, signal)
    }
  }

  /** Nothing can be committed by a leader that its followers do not reach, and one of them may lead instead. */
  async #handOver(): Promise<void> {
    const { partitions, pace, handOver, onFault } = this.#options
    const cutOff = [...partitions].filter((partition) => pace.isDue(partition))
    if (cutOff.length === 0) return
    const terms = cutOff.map((partition) => ({ partition, term: partition.term }))
    try {
      await handOver(cutOff)
      // One that nobody else can lead has stayed, and goes as soon as somebody can.
      for (const { partition, term } of terms) if (term?.isOver) pace.handedOver(partition)
    } catch (cause) {
      onFault(cause)
    }
  }
}
