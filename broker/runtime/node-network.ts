import { createServer, connect as dial, type Socket } from 'node:net'
import type { ByteStream, ByteStreamEvents, Listener, Network } from './network.ts'

class NodeByteStream implements ByteStream {
  readonly remoteHost: string
  readonly remotePort: number
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    this.remoteHost = socket.remoteAddress ?? 'unknown'
    this.remotePort = socket.remotePort ?? 0
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    // Until `start`, an error would be nobody's and end the process.
    socket.on('error', () => {})
  }

  start(events: ByteStreamEvents): void {
    let cause: Error | undefined
    this.#socket.on('error', (error) => {
      cause = error
    })
    this.#socket.on('data', (bytes) => events.data(bytes as Buffer))
    this.#socket.on('drain', () => events.drained())
    this.#socket.on('close', () => events.closed(cause))
    if (this.#socket.destroyed) queueMicrotask(() => events.closed(undefined))
  }

  write(buffers: readonly Uint8Array[]): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    if (buffers.length === 1) {
      this.#socket.write(buffers[0]!)
      return
    }
    this.#socket.cork()
    for (const buffer of buffers) this.#socket.write(buffer)
    this.#socket.uncork()
  }

  get bytesQueued(): number {
    return this.#socket.writableLength
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

export const nodeNetwork: Network = {
  listen({ host, port }, accept) {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => accept(new NodeByteStream(socket)))
      server.once('error', reject)
      server.listen({ host, port, backlog: 1024 }, () => {
        server.removeListener('error', reject)
        const bound = server.address() as { address: string; port: number }
        const listener: Listener = {
          host,
          port: bound.port,
          close: () => new Promise((closed) => server.close(() => closed())),
        }
        resolve(listener)
      })
    })
  },

  connect({ host, port }, timeoutMs) {
    return new Promise((resolve, reject) => {
      const socket = dial({ host, port })
      socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no connection to ${host}:${port} within ${timeoutMs} ms`)))
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.setTimeout(0)
        socket.removeListener('error', reject)
        resolve(new NodeByteStream(socket))
      })
    })
  },
}
