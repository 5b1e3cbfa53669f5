import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface SeenRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** How many came before it. */
  readonly index: number
}

/** What becomes of a request. */
export type Fate =
  /** The server gets it and its answer goes back. */
  | 'forward'
  /** The server carries it out; the client sees the connection break. */
  | 'lose answer'
  /** The server never gets it; the client sees the connection break. */
  | 'lose request'
  /** The server carries it out; the client never hears of it. */
  | 'stall'
  /** As `forward`, but the connection breaks after half of the answer's body. */
  | 'cut answer'
  /** As `forward`, but nothing comes after half of the answer's body. */
  | 'stall answer'
  /** An answer that the test makes up; the server never gets the request. */
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string | Buffer }

/**
 * An HTTP server between a client and a real one (or none, where every fate is made up), which loses requests and
 * answers as a network does: by breaking connections, so that nothing in the client has to be replaced.
 */
export class LossyProxy {
  readonly #server: Server
  readonly #upstream: URL | undefined
  readonly seen: SeenRequest[] = []
  /** Asked for every request, in the order of their arrival. */
  decide: (request: SeenRequest) => Fate = () => 'forward'

  private constructor(upstream: string | undefined) {
    this.#upstream = upstream === undefined ? undefined : new URL(upstream)
    this.#server = createServer((request, response) => void this.#handle(request, response))
  }

  static async open(upstream?: string): Promise<LossyProxy> {
    const proxy = new LossyProxy(upstream)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections that clients hold open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { method = 'GET', url = '/', headers } = request
      const seen = { method, url, headers, body: await buffer(request), index: this.seen.length }
      this.seen.push(seen)
      await this.#meetFate(seen, response)
    } catch {
      response.destroy()
    }
  }

  async #meetFate(seen: SeenRequest, response: ServerResponse): Promise<void> {
    const fate = this.#fateOf(seen)
    if (typeof fate === 'object') {
      response.writeHead(fate.status, fate.headers).end(fate.body ?? '')
      return
    }
    if (fate === 'lose request') return void response.destroy()
    if (fate === 'stall' && this.#upstream === undefined) return
    const { status, headers, body } = await this.#forward(seen)
    if (fate === 'lose answer') return void response.destroy()
    if (fate === 'stall') return
    response.writeHead(status, headers)
    if (fate === 'forward') response.end(body)
    else response.write(body.subarray(0, body.length / 2), () => fate === 'cut answer' && response.destroy())
  }

  /** A test's own failure must not look like the network's, which a client tries again. */
  #fateOf(seen: SeenRequest): Fate {
    try {
      return this.decide(seen)
    } catch (cause) {
      return { status: 400, body: (cause as Error).message }
    }
  }

  async #forward({ method, url, headers, body }: SeenRequest) {
    if (this.#upstream === undefined) throw new Error('there is no server behind this proxy')
    const { hostname, port } = this.#upstream
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest({ hostname, port, method, path: url, headers }, resolve).on('error', reject).end(body)
    })
    return { status: answer.statusCode ?? 500, headers: answer.headers, body: await buffer(answer) }
  }
}
