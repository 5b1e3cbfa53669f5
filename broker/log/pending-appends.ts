import { ErrorCode } from '../protocol/error-code.ts'
import type { Refused } from './append-validation.ts'

export interface Appended {
  readonly errorCode: ErrorCode
  readonly errorMessage?: string
  /** Records that are to blame, by their place in the batch. */
  readonly recordIndexes?: readonly number[]
  /** -1 with an error. */
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** -1 unless the topic stamps records with the broker's clock. */
  readonly logAppendTime: number
}

export function failed(errorCode: ErrorCode, errorMessage: string): Appended {
  return { errorCode, errorMessage, baseOffset: -1, endOffset: -1, logAppendTime: -1 }
}

export function refused({ errorCode, message, recordIndexes }: Refused): Appended {
  return recordIndexes === undefined ? failed(errorCode, message) : { ...failed(errorCode, message), recordIndexes }
}

interface Pending {
  readonly answer: Appended
  readonly resolve: (appended: Appended) => void
}

/** Answers that are due once the log is durable up to their batch. */
export class PendingAppends {
  /** Of batches in order. */
  #first: Pending[] = []
  /** Of batches that were sent again: they wait for an earlier place. */
  #again: Pending[] = []

  add(answer: Appended): Promise<Appended> {
    return new Promise((resolve) => this.#first.push({ answer, resolve }))
  }

  addAgain(answer: Appended): Promise<Appended> {
    return new Promise((resolve) => this.#again.push({ answer, resolve }))
  }

  answerBelow(durableEndOffset: number): void {
    let count = 0
    while (count < this.#first.length && this.#first[count]!.answer.endOffset <= durableEndOffset) {
      const { resolve, answer } = this.#first[count++]!
      resolve(answer)
    }
    this.#first = count === this.#first.length ? [] : this.#first.slice(count)
    if (this.#again.length === 0) return
    this.#again = this.#again.filter(({ answer, resolve }) => {
      if (answer.endOffset > durableEndOffset) return true
      resolve(answer)
      return false
    })
  }

  failAll(errorCode: ErrorCode, errorMessage: string): void {
    const pending = [...this.#first, ...this.#again]
    this.#first = []
    this.#again = []
    for (const { resolve } of pending) resolve(failed(errorCode, errorMessage))
  }
}
