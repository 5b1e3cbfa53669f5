import type { BackoffOptions } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type RetryOptions, retry } from '../runtime/retry.ts'
import { withTimeout } from '../runtime/timeout.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import { ObjectStoreError } from './object-store.ts'
import { judgeS3, type S3Verdict } from './s3-errors.ts'

export interface S3CallOptions extends AdmissionOptions {
  readonly clock: Clock
  readonly random: Random
  /** Of one request without content. Default 10,000. */
  readonly requestTimeoutMs?: number
  /** Content slower than this counts as no answer. Default 1 MiB. */
  readonly bytesPerSecondMin?: number
  /** After which a call is not tried again. Default 30,000. */
  readonly retryMs?: number
  /** Between tries. Default 100 to 5,000. */
  readonly backoff?: BackoffOptions
}

export interface S3Request {
  readonly signal?: AbortSignal | undefined
  /** Of content, in either direction: more of it may take longer. */
  readonly bytes?: number
}

/** How calls of the store become requests: one waits for its turn, is given up in time, and is tried again. */
export class S3Calls {
  readonly #admission: Admission
  readonly #clock: Clock
  readonly #retrying: Omit<RetryOptions, 'mayPass' | 'signal'>
  readonly #requestTimeoutMs: number
  readonly #bytesPerSecondMin: number

  constructor(options: S3CallOptions) {
    this.#admission = new Admission(options)
    const { clock, random, retryMs = 30_000, backoff = { firstMs: 100, maxMs: 5_000 } } = options
    this.#clock = clock
    this.#retrying = { clock, random, retryMs, backoff }
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 10_000
    this.#bytesPerSecondMin = options.bytesPerSecondMin ?? 1024 * 1024
  }

  /** A call from outside. Within it errors are those of S3; it rejects with `ObjectStoreError` only. */
  async admit<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    try {
      return await this.#admission.admit(signal, run)
    } catch (cause) {
      if (cause instanceof ObjectStoreError) throw cause
      if (signal?.aborted) throw new ObjectStoreError('away', 'the call was aborted', cause)
      const verdict = judgeS3(cause)
      const { name, message } = cause as Error
      throw new ObjectStoreError(
        verdict === 'refused' || verdict === 'damaged' ? verdict : 'away',
        `S3: ${name}: ${message}`,
        cause,
      )
    }
  }

  tryUntilDone<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    const mayPass = (cause: unknown) => !(cause instanceof ObjectStoreError) && judgeS3(cause) === 'away'
    return retry({ ...this.#retrying, signal, mayPass }, run)
  }

  /** A request that may be sent again as it is. */
  send<T>(request: S3Request, send: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    return this.tryUntilDone(request.signal, () => this.request(request, send))
  }

  /** One try. */
  request<T>({ signal, bytes = 0 }: S3Request, send: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const timeoutMs = this.#requestTimeoutMs + (1000 * bytes) / this.#bytesPerSecondMin
    return withTimeout({ clock: this.#clock, timeoutMs, signal }, send)
  }

  /** Runs while `bytes` are set aside for it, within `admit`. */
  withBuffer<T>(share: { readonly bytes: number; readonly signal: AbortSignal | undefined }, run: () => Promise<T>): Promise<T> {
    return this.#admission.withBuffer(share, run)
  }

  close(): Promise<void> {
    return this.#admission.close()
  }
}

/** What became of a conditional write. Throws what is neither a success nor an answer to the condition. */
export async function verdictOfWrite(write: Promise<unknown>): Promise<'stored' | S3Verdict> {
  try {
    await write
    return 'stored'
  } catch (cause) {
    const verdict = judgeS3(cause)
    if (verdict === 'taken' || verdict === 'contested' || verdict === 'upload gone') return verdict
    throw cause
  }
}
