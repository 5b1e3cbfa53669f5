// A client of Kafka's protocol that hides nothing: one connection, no retries, no metadata of its own. A request either
// gets its response or fails with `ConnectionLost`, and then nobody knows whether it was carried out. It is made of the
// declarations that the broker serves, which a test of their own holds against Kafka's.

import { connect, type Socket } from 'node:net'
import { decodeResponse, encodeRequest } from '../../broker/protocol/header.ts'
import type { Api, GivenOf, ReadOf, Shape } from '../../broker/protocol/schema.ts'

/** The outcome of the request is unknown. */
export class ConnectionLost extends Error {
  constructor(why: string) {
    super(`connection lost: ${why}`)
    this.name = 'ConnectionLost'
  }
}

export interface CallOptions {
  /** The newest that is declared where not given. */
  readonly version?: number
  readonly timeoutMs?: number
}

interface Waiting {
  readonly resolve: (frame: Buffer) => void
  readonly reject: (error: Error) => void
}

export class WireClient {
  readonly #socket: Socket
  readonly #clientId: string
  readonly #waiting = new Map<number, Waiting>()
  #nextCorrelationId = 1
  /** Of a response that is not complete. */
  #chunks: Buffer[] = []
  #held = 0
  #needed = 4
  #lost: ConnectionLost | undefined

  private constructor(socket: Socket, clientId: string) {
    this.#socket = socket
    this.#clientId = clientId
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.#lose(error.message))
    socket.on('close', () => this.#lose('closed'))
  }

  static connect(bootstrap: string, clientId = 'wire'): Promise<WireClient> {
    const at = bootstrap.lastIndexOf(':')
    const socket = connect({ host: bootstrap.slice(0, at), port: Number(bootstrap.slice(at + 1)), noDelay: true })
    return new Promise((resolve, reject) => {
      const refused = (error: Error) => reject(new ConnectionLost(error.message))
      socket.once('error', refused)
      socket.once('connect', () => {
        socket.off('error', refused)
        resolve(new WireClient(socket, clientId))
      })
    })
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  async call<Q extends Shape, P extends Shape>(
    api: Api<Q, P>,
    request: GivenOf<Q>,
    options: CallOptions = {},
  ): Promise<ReadOf<P>> {
    const version = options.version ?? api.versions.end
    const frame = await this.#exchange(this.#encode(api, request, version), options.timeoutMs ?? 30_000)
    return decodeResponse(api, version, frame)
  }

  /** For requests without a response: acks=0. */
  send<Q extends Shape, P extends Shape>(api: Api<Q, P>, request: GivenOf<Q>, options: CallOptions = {}): void {
    const { pieces } = this.#encode(api, request, options.version ?? api.versions.end)
    for (const piece of pieces) this.#socket.write(piece)
  }

  /** Bytes as they are, for what no client would send. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Resolves when the other side has closed the connection. */
  closed(): Promise<void> {
    if (this.#lost !== undefined) return Promise.resolve()
    return new Promise((resolve) => this.#socket.once('close', () => resolve()))
  }

  close(): void {
    this.#socket.destroy()
    this.#lose('closed by this side')
  }

  #encode<Q extends Shape, P extends Shape>(api: Api<Q, P>, request: GivenOf<Q>, version: number) {
    const correlationId = this.#nextCorrelationId++
    const pieces = encodeRequest(api, { version, correlationId, clientId: this.#clientId }, request)
    return { correlationId, pieces }
  }

  #exchange(
    { correlationId, pieces }: { correlationId: number; pieces: readonly Uint8Array[] },
    timeoutMs: number,
  ): Promise<Buffer> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#lose(`no response within ${timeoutMs} ms`)
        this.#socket.destroy()
      }, timeoutMs)
      const settled =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer)
          then(value)
        }
      this.#waiting.set(correlationId, { resolve: settled(resolve), reject: settled(reject) })
      for (const piece of pieces) this.#socket.write(piece)
    })
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    while (this.#held >= this.#needed) {
      const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      const end = 4 + bytes.readInt32BE(0)
      this.#needed = end
      this.#chunks = [bytes]
      if (bytes.length < end) return
      const rest = bytes.subarray(end)
      this.#chunks = [rest]
      this.#held = rest.length
      this.#needed = 4
      this.#receive(bytes.subarray(4, end))
    }
  }

  #receive(frame: Buffer): void {
    const correlationId = frame.readInt32BE(0)
    const waiting = this.#waiting.get(correlationId)
    this.#waiting.delete(correlationId)
    if (waiting === undefined) {
      this.#lose(`a response to request ${correlationId}, which nobody waits for`)
      this.#socket.destroy()
    } else waiting.resolve(frame)
  }

  #lose(why: string): void {
    this.#lost ??= new ConnectionLost(why)
    for (const { reject } of this.#waiting.values()) reject(this.#lost)
    this.#waiting.clear()
  }
}
