// A connection to another broker: requests go out as they come, and each reply is given to the request whose correlation
// id it carries. It is made for one life: whatever goes wrong, a deadline that passes included, ends the connection and
// with it every request that is under way, none of which is then known to have been carried out or not.

import { decodeResponse, encodeRequest } from '../protocol/header.ts'
import type { Api, GivenOf, ReadOf, Shape } from '../protocol/schema.ts'
import { BufferPool } from '../runtime/buffer-pool.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { ByteStream, Network } from '../runtime/network.ts'
import { FrameSplitter } from './frame-splitter.ts'

/** The connection is gone: the outcome of what was asked is unknown. */
export class BrokerUnreachable extends Error {
  /** Nobody listens there: the process has ended, which is more than silence says. */
  readonly isRefused: boolean
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'BrokerUnreachable'
    this.isRefused = (cause as { readonly code?: string } | undefined)?.code === 'ECONNREFUSED'
  }
}

export interface BrokerClientLimits {
  readonly connectTimeoutMs: number
  /** The longest reply, in bytes. */
  readonly replyBytesMax: number
  /** Requests that may be under way; more are refused. */
  readonly requestsInFlightMax: number
  /** Memory of replies that is kept to be used again. */
  readonly pooledBytesMax: number
}

export interface BrokerClientOptions {
  readonly network: Network
  readonly clock: Clock
  readonly address: { readonly host: string; readonly port: number }
  /** What this broker calls itself. */
  readonly clientId: string
  readonly limits: BrokerClientLimits
}

export interface CallTo<Q extends Shape> {
  readonly version: number
  readonly request: GivenOf<Q>
  /** Milliseconds until the connection is given up. */
  readonly timeoutMs: number
}

export interface Replied<P extends Shape> {
  readonly response: ReadOf<P>
  /** Gives the memory back that records in the response lie in: once, when nobody can see them any more. */
  release(): void
}

interface Waiting {
  readonly resolve: (frame: Buffer) => void
  readonly reject: (cause: BrokerUnreachable) => void
  readonly timer: Timer
}

export class BrokerClient {
  readonly #options: BrokerClientOptions
  readonly #stream: ByteStream
  readonly #pool: BufferPool
  readonly #splitter: FrameSplitter
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended = Promise.withResolvers<void>()
  #nextCorrelationId = 1
  #lost: BrokerUnreachable | undefined

  private constructor(options: BrokerClientOptions, stream: ByteStream) {
    const { limits } = options
    this.#options = options
    this.#stream = stream
    this.#pool = new BufferPool(limits.pooledBytesMax)
    this.#splitter = new FrameSplitter({ bytesMax: limits.replyBytesMax, pool: this.#pool })
    stream.start({
      data: (bytes) => this.#receive(bytes),
      drained: () => {},
      closed: (cause) => this.#lose('the connection was closed', cause),
    })
  }

  /** Rejects with `BrokerUnreachable`. */
  static async connect(options: BrokerClientOptions): Promise<BrokerClient> {
    const { network, address, limits } = options
    try {
      return new BrokerClient(options, await network.connect(address, limits.connectTimeoutMs))
    } catch (cause) {
      throw new BrokerUnreachable(`no connection to ${address.host}:${address.port}`, cause)
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get lost(): Promise<void> {
    return this.#ended.promise
  }

  /** Rejects with `BrokerUnreachable`, and with `MalformedMessage` where the reply is none. */
  async call<Q extends Shape, P extends Shape>(api: Api<Q, P>, { version, request, timeoutMs }: CallTo<Q>): Promise<Replied<P>> {
    const { clock, clientId, limits } = this.#options
    if (this.#lost !== undefined) throw this.#lost
    if (this.#waiting.size >= limits.requestsInFlightMax) throw new BrokerUnreachable(`${this.#waiting.size} requests are under way`)
    const correlationId = this.#nextCorrelationId++
    const frame = await new Promise<Buffer>((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => this.#lose(`no reply to ${api.name} within ${timeoutMs} ms`))
      this.#waiting.set(correlationId, { resolve, reject, timer })
      this.#stream.write(encodeRequest(api, { version, correlationId, clientId }, request))
    })
    try {
      return { response: decodeResponse(api, version, frame), release: () => this.#pool.give(frame) }
    } catch (cause) {
      this.#lose(`a reply to ${api.name} that is none`, cause)
      throw cause
    }
  }

  close(): void {
    this.#lose('closed by this side')
  }

  #receive(bytes: Buffer): void {
    try {
      for (const frame of this.#splitter.push(bytes)) this.#answer(frame)
    } catch (cause) {
      this.#lose('a frame that is none', cause)
    }
  }

  #answer(frame: Buffer): void {
    const correlationId = frame.length < 4 ? -1 : frame.readInt32BE(0)
    const waiting = this.#waiting.get(correlationId)
    if (waiting === undefined) return this.#lose(`a reply to request ${correlationId}, which nobody waits for`)
    this.#waiting.delete(correlationId)
    waiting.timer.cancel()
    waiting.resolve(frame)
  }

  #lose(why: string, cause?: unknown): void {
    if (this.#lost !== undefined) return
    const { host, port } = this.#options.address
    const lost = new BrokerUnreachable(`${host}:${port}: ${why}`, cause)
    this.#lost = lost
    this.#ended.resolve()
    this.#stream.destroy()
    for (const { reject, timer } of this.#waiting.values()) {
      timer.cancel()
      reject(lost)
    }
    this.#waiting.clear()
  }
}
