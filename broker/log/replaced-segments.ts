import type { Clock } from '../runtime/clock.ts'
import type { Segment } from './segment.ts'

/** Whoever walks along a list of segments from before has so long to get to their files. */
const heldMs = 10_000
/** Files that are kept open for them. With more, the oldest go early: a read that meets that begins again. */
const heldMax = 128

/**
 * Segments that compaction has replaced. Their names are another file's by now, so file and index are kept open for a while: reads
 * that began before end as they began.
 */
export class ReplacedSegments {
  readonly #clock: Clock
  #held: { readonly segment: Segment; readonly until: number }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** While the names are still theirs. What was opened before one fails is closed again. */
  async hold(segments: readonly Segment[]): Promise<void> {
    const open: Segment[] = []
    try {
      for (const segment of segments) {
        await segment.acquire()
        open.push(segment)
        await segment.index()
      }
    } catch (cause) {
      this.letGo(open)
      throw cause
    }
  }

  /** They stay what they were. */
  letGo(segments: readonly Segment[]): void {
    for (const segment of segments) segment.release()
  }

  /** They are off the list: from now on their time runs. */
  add(segments: readonly Segment[]): void {
    const until = this.#clock.monotonic() + heldMs
    for (const segment of segments) this.#held.push({ segment, until })
    this.#giveBack(this.#held.splice(0, Math.max(this.#held.length - heldMax, 0)))
  }

  /** Gives back those whose time is over, or all. */
  release({ isEnd = false }: { readonly isEnd?: boolean } = {}): void {
    const now = isEnd ? Infinity : this.#clock.monotonic()
    const over = this.#held.filter(({ until }) => until <= now)
    this.#held = this.#held.filter(({ until }) => until > now)
    this.#giveBack(over)
  }

  #giveBack(held: readonly { readonly segment: Segment }[]): void {
    for (const { segment } of held) {
      segment.release()
      void segment.close()
    }
  }
}
