import type { Appended } from '../log/partition-log.ts'
import { failed } from '../log/pending-appends.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { Clock, Timer } from '../runtime/clock.ts'

interface Wait {
  readonly appended: Appended
  readonly resolve: (answer: Appended) => void
  readonly timer: Timer
}

/** Answers that are due once the high watermark has passed their batch. As many as there are requests that wait. */
export class CommitWaits {
  readonly #clock: Clock
  #waits: Wait[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#waits.length
  }

  /** What was appended stays in the log when the time is over, and a producer that sends it again finds it there. */
  add(appended: Appended, timeoutMs: number): Promise<Appended> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#waits = this.#waits.filter((one) => one !== wait)
        resolve(failed(ErrorCode.REQUEST_TIMED_OUT, `not every in-sync replica had it within ${timeoutMs} ms`))
      })
      const wait: Wait = { appended, resolve, timer }
      this.#waits.push(wait)
    })
  }

  answerBelow(highWatermark: number): void {
    if (this.#waits.length === 0) return
    const done = this.#waits.filter(({ appended }) => appended.endOffset <= highWatermark)
    if (done.length === 0) return
    this.#waits = this.#waits.filter(({ appended }) => appended.endOffset > highWatermark)
    for (const { appended, resolve, timer } of done) {
      timer.cancel()
      resolve(appended)
    }
  }

  failAll(errorCode: ErrorCode, errorMessage: string): void {
    const waits = this.#waits
    this.#waits = []
    for (const { resolve, timer } of waits) {
      timer.cancel()
      resolve(failed(errorCode, errorMessage))
    }
  }
}
