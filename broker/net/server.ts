// Accepts connections on one address, and keeps count of them.

import type { Clock } from '../runtime/clock.ts'
import type { Listener, Network } from '../runtime/network.ts'
import type { Reply } from '../api/router.ts'
import type { BufferPool } from '../runtime/buffer-pool.ts'
import { Connection, type ConnectionLimits } from './connection.ts'

export interface ServerLimits extends ConnectionLimits {
  readonly connectionsMax: number
  readonly connectionsPerHostMax: number
}

export interface ServerOptions {
  readonly network: Network
  readonly clock: Clock
  readonly address: { readonly host: string; readonly port: number }
  readonly limits: ServerLimits
  readonly pool: BufferPool
  serve(frame: Buffer, connection: Connection): Promise<Reply | undefined>
  /** A connection ended for a reason worth a line in the log. */
  onFault(clientHost: string, cause: Error): void
}

export class Server {
  readonly #options: ServerOptions
  readonly #connections = new Set<Connection>()
  readonly #perHost = new Map<string, number>()
  #listener: Listener | undefined
  #refused = 0

  private constructor(options: ServerOptions) {
    this.#options = options
  }

  /** Rejects with the system's error where the address cannot be had. */
  static async listen(options: ServerOptions): Promise<Server> {
    const server = new Server(options)
    server.#listener = await options.network.listen(options.address, (stream) => {
      const { limits, clock, pool, serve } = options
      const host = stream.remoteHost
      const fromHost = server.#perHost.get(host) ?? 0
      if (server.#connections.size >= limits.connectionsMax || fromHost >= limits.connectionsPerHostMax) {
        server.#refused++
        stream.destroy()
        return
      }
      server.#perHost.set(host, fromHost + 1)
      const connection = new Connection({
        stream, clock, limits, pool, serve,
        onClosed: (closed, cause) => server.#forget(closed, host, cause),
      })
      if (!connection.signal.aborted) server.#connections.add(connection)
    })
    return server
  }

  get port(): number {
    return this.#listener!.port
  }

  get connections(): number {
    return this.#connections.size
  }

  /** Connections that were refused because there were too many. */
  get refused(): number {
    return this.#refused
  }

  /**
   * Stops accepting, lets requests that have arrived be answered for at most `graceMs`, then closes what is left.
   */
  async close(graceMs: number): Promise<void> {
    const stopped = this.#listener!.close()
    for (const connection of this.#connections) connection.drain()
    const deadline = this.#options.clock.after(graceMs, () => {
      for (const connection of this.#connections) connection.destroy()
    })
    await stopped
    deadline.cancel()
  }

  #forget(connection: Connection, host: string, cause: Error | undefined): void {
    this.#connections.delete(connection)
    const left = (this.#perHost.get(host) ?? 1) - 1
    if (left > 0) this.#perHost.set(host, left)
    else this.#perHost.delete(host)
    if (cause !== undefined) this.#options.onFault(host, cause)
  }
}
