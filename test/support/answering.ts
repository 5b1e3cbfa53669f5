import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** length 4 | key 18 | version 0 | correlation id | no client id */
const apiVersionsRequest = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255])

/** Waits for a listener on loopback that answers ApiVersions, which a broker does once it serves. */
export async function answering(
  port: number,
  options: { readonly withinMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + options.withinMs
  while (performance.now() < deadline) {
    options.signal?.throwIfAborted()
    if (await answersNow(port)) return
    await sleep(15)
  }
  throw new Error(`nothing answered at 127.0.0.1:${port} within ${options.withinMs} ms`)
}

function answersNow(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const finish = (result: boolean) => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(1000, () => finish(false))
    socket.once('connect', () => socket.write(apiVersionsRequest))
    socket.once('data', () => finish(true))
    socket.once('error', () => finish(false))
    socket.once('close', () => finish(false))
  })
}

/** A port on loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

/** The first of some ports in a row on loopback that were all free a moment ago. */
export async function freePortsInRow(count: number): Promise<number> {
  for (;;) {
    const first = await freePort()
    const others = await Promise.all(Array.from({ length: count - 1 }, (_, index) => isFree(first + index + 1)))
    if (others.every((isOne) => isOne)) return first
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    if (port > 65_535) return resolve(false)
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
