import { type Clock, sleep } from '../runtime/clock.ts'
import type { MetadataLog } from './metadata-log.ts'

export interface MetadataPollOptions {
  readonly metadata: Pick<MetadataLog, 'refresh'>
  readonly clock: Clock
  /** Milliseconds between two looks at the table where nobody hints. */
  readonly everyMs: number
  /** Milliseconds between two looks at least, however many hints come. */
  readonly everyMsMin: number
  /** A look failed; the next one is on time. */
  onFault(cause: unknown): void
}

/**
 * Keeps the image as new as the table's. Whoever appends to the metadata log tells the others to look now; a hint that is
 * lost costs `everyMs`, and a flood of them one look per `everyMsMin`.
 */
export class MetadataPoll {
  readonly #options: MetadataPollOptions
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  #wake = new AbortController()
  #lookedAt = -Infinity

  constructor(options: MetadataPollOptions) {
    this.#options = options
    this.#done = this.#run()
  }

  /** Somebody says that there is something new. */
  lookNow(): void {
    this.#wake.abort()
  }

  /** Resolves once no look is under way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake.abort()
    await this.#done
  }

  async #run(): Promise<void> {
    const { clock, everyMs, everyMsMin } = this.#options
    while (!this.#stopping.signal.aborted) {
      await sleep(clock, everyMs, this.#wake.signal)
      await sleep(clock, this.#lookedAt + everyMsMin - clock.monotonic(), this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      // Before the look: a hint that comes while it is under way may be about what it does not see.
      this.#wake = new AbortController()
      this.#lookedAt = clock.monotonic()
      await this.#look()
    }
  }

  async #look(): Promise<void> {
    try {
      await this.#options.metadata.refresh()
    } catch (cause) {
      this.#options.onFault(cause)
    }
  }
}
