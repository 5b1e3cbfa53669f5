import { createServer, connect as dial, Socket } from 'node:net'
import type { ByteStream, ByteStreamEvents, Listener, Network } from './network.ts'

/**
 * All streams are read into this one buffer: what arrives is handed on before anything else is read. Node's own way
 * allocates 64 KiB for each read, which at some hundred MB/s keeps the garbage collector busier than the broker.
 */
const arrivals = Buffer.allocUnsafeSlow(256 * 1024)

interface Taker {
  data(bytes: Buffer): void
}

class NodeByteStream implements ByteStream {
  readonly remoteHost: string
  readonly remotePort: number
  readonly #socket: Socket
  readonly #taker: Taker

  constructor(socket: Socket, taker: Taker) {
    this.#socket = socket
    this.#taker = taker
    this.remoteHost = socket.remoteAddress ?? 'unknown'
    this.remotePort = socket.remotePort ?? 0
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    // Until `start`, an error would be nobody's and end the process.
    socket.on('error', () => {})
  }

  start(events: ByteStreamEvents): void {
    let cause: Error | undefined
    this.#taker.data = (bytes) => events.data(bytes)
    this.#socket.on('error', (error) => {
      cause = error
    })
    this.#socket.on('drain', () => events.drained())
    this.#socket.on('close', () => events.closed(cause))
    if (this.#socket.destroyed) queueMicrotask(() => events.closed(undefined))
    else this.#socket.resume()
  }

  write(buffers: readonly Uint8Array[], onTaken?: () => void): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    const taken = onTaken === undefined ? undefined : (error?: Error | null) => {
      if (!error) onTaken()
    }
    const last = buffers.length - 1
    if (last > 0) this.#socket.cork()
    for (let index = 0; index < last; index++) this.#socket.write(buffers[index]!)
    this.#socket.write(buffers[last]!, taken)
    if (last > 0) this.#socket.uncork()
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

function lendTo(taker: Taker) {
  return {
    buffer: arrivals,
    callback: (length: number) => {
      taker.data(arrivals.subarray(0, length))
      return true
    },
  }
}

/**
 * A socket over an accepted one's handle that reads into `arrivals`. `onread` can only be given to a new Socket, and a
 * server makes its sockets itself; this takes the handle over, as Node's own cluster module does.
 */
function adopt(accepted: Socket, onClosed: () => void): NodeByteStream {
  const taker: Taker = { data: () => {} }
  const bare = accepted as unknown as { _handle: unknown }
  const handle = bare._handle
  bare._handle = null
  const options = { handle, readable: true, writable: true, onread: lendTo(taker) }
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  socket.once('close', onClosed)
  return new NodeByteStream(socket, taker)
}

export const nodeNetwork: Network = {
  listen({ host, port }, accept) {
    return new Promise((resolve, reject) => {
      // The server itself would wait for ever for the sockets whose handles were taken from it.
      let streams = 0
      const drained = Promise.withResolvers<void>()
      let isClosing = false
      const server = createServer({ pauseOnConnect: true }, (socket) => {
        streams++
        accept(adopt(socket, () => {
          streams--
          if (isClosing && streams === 0) drained.resolve()
        }))
      })
      server.once('error', reject)
      server.listen({ host, port, backlog: 1024 }, () => {
        server.removeListener('error', reject)
        const bound = server.address() as { address: string; port: number }
        const listener: Listener = {
          host,
          port: bound.port,
          close: () => {
            isClosing = true
            server.close()
            if (streams === 0) drained.resolve()
            return drained.promise
          },
        }
        resolve(listener)
      })
    })
  },

  connect({ host, port }, timeoutMs) {
    return new Promise((resolve, reject) => {
      const taker: Taker = { data: () => {} }
      const socket = dial({ host, port, onread: lendTo(taker) })
      socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no connection to ${host}:${port} within ${timeoutMs} ms`)))
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.setTimeout(0)
        socket.removeListener('error', reject)
        resolve(new NodeByteStream(socket, taker))
      })
    })
  },
}
