import type { PartitionLog } from '../log/partition-log.ts'
import type { Clock } from '../runtime/clock.ts'

export interface LogTrimOptions {
  readonly log: PartitionLog
  readonly clock: Clock
  /** Milliseconds after which a deletion that has failed is tried again. */
  readonly retryMs: number
  onFault(cause: unknown): void
}

/**
 * Deletes here what the leader has deleted. It removes one file after another, each durably, so it goes on beside the copying:
 * the next fetch of everything that the leader has would wait for it. One deletion at a time.
 */
export class LogTrim {
  readonly #options: LogTrimOptions
  #isBusy = false

  constructor(options: LogTrimOptions) {
    this.#options = options
  }

  /** The leader's log begins at an offset. Where that is too early, the next answer says it again. */
  to(offset: number): void {
    const { log, clock, retryMs, onFault } = this.#options
    const start = Math.min(offset, log.durableEndOffset)
    if (this.#isBusy || start <= log.logStartOffset) return
    this.#isBusy = true
    const done = () => {
      this.#isBusy = false
    }
    log.advanceLogStart(start).then(done, (cause: unknown) => {
      onFault(cause)
      clock.after(retryMs, done)
    })
  }
}
