// A client's connection over the simulated network, with our own codecs: no retries, no metadata. A request gets its
// answer, or fails with `NoAnswer` and nobody knows whether it was carried out.

import { decodeResponse, encodeRequest } from '../broker/protocol/header.ts'
import type { Api, GivenOf, ReadOf, Shape } from '../broker/protocol/schema.ts'
import type { ByteStream, Network } from '../broker/runtime/network.ts'
import type { SimProcess } from './process.ts'

export class NoAnswer extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'NoAnswer'
  }
}

interface Waiting {
  readonly resolve: (frame: Buffer) => void
  readonly reject: (error: Error) => void
}

export class Wire {
  readonly #stream: ByteStream
  readonly #process: SimProcess
  readonly #waiting = new Map<number, Waiting>()
  #nextCorrelationId = 1
  #held: Buffer = Buffer.alloc(0)
  #lost: NoAnswer | undefined

  private constructor(process: SimProcess, stream: ByteStream) {
    this.#process = process
    this.#stream = stream
    stream.start({
      data: (bytes) => this.#take(bytes),
      drained: () => {},
      closed: (cause) => this.#lose(cause?.message ?? 'closed'),
    })
  }

  /** Rejects with `NoAnswer` where nobody answers there. */
  static async connect(process: SimProcess, network: Network, to: { host: string; port: number }): Promise<Wire> {
    try {
      return new Wire(process, await network.connect(to, 5_000))
    } catch (cause) {
      throw new NoAnswer((cause as Error).message)
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  async call<Q extends Shape, P extends Shape>(
    api: Api<Q, P>, request: GivenOf<Q>, { version = api.versions.end, timeoutMs = 15_000 }: { version?: number; timeoutMs?: number } = {},
  ): Promise<ReadOf<P>> {
    const correlationId = this.#nextCorrelationId++
    // One piece of its own: what the codec lent may change.
    const bytes = Buffer.concat(encodeRequest(api, { version, correlationId, clientId: this.#process.name }, request))
    const frame = await this.#exchange(correlationId, bytes, timeoutMs)
    return decodeResponse(api, version, frame)
  }

  close(): void {
    this.#stream.destroy()
    this.#lose('closed by this side')
  }

  #exchange(correlationId: number, bytes: Buffer, timeoutMs: number): Promise<Buffer> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return new Promise<Buffer>((resolve, reject) => {
      const timer = this.#process.clock.after(timeoutMs, () => {
        this.#stream.destroy()
        this.#lose(`no answer within ${timeoutMs} ms`)
      })
      this.#waiting.set(correlationId, {
        resolve: (frame) => {
          timer.cancel()
          resolve(frame)
        },
        reject: (error) => {
          timer.cancel()
          reject(error)
        },
      })
      this.#stream.write([bytes])
    })
  }

  #take(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes])
    while (this.#held.length >= 4) {
      const end = 4 + this.#held.readInt32BE(0)
      if (this.#held.length < end) return
      const frame = this.#held.subarray(4, end)
      this.#held = this.#held.subarray(end)
      const waiting = this.#waiting.get(frame.readInt32BE(0))
      this.#waiting.delete(frame.readInt32BE(0))
      waiting?.resolve(frame)
    }
  }

  #lose(why: string): void {
    this.#lost ??= new NoAnswer(why)
    for (const { reject } of this.#waiting.values()) reject(this.#lost)
    this.#waiting.clear()
  }
}
