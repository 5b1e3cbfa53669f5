import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { TcpProxy } from '../../faults/proxy.ts'

/** A server that answers with what it gets. */
let echo: Server
let proxy: TcpProxy
const sockets: Socket[] = []

beforeEach(async () => {
  echo = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {}).pipe(socket)
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await TcpProxy.open((echo.address() as AddressInfo).port)
})

afterEach(async () => {
  await proxy.close()
  for (const socket of sockets.splice(0)) socket.destroy()
  await new Promise((resolve) => echo.close(resolve))
})

async function connected(): Promise<{ readonly socket: Socket; read(bytes: number): Promise<string>; readonly seen: () => string }> {
  const socket = connect({ host: '127.0.0.1', port: proxy.port })
  sockets.push(socket)
  let text = ''
  socket.setEncoding('latin1').on('data', (more: string) => (text += more)).on('error', () => {})
  await once(socket, 'connect')
  const read = async (bytes: number): Promise<string> => {
    while (text.length < bytes) await once(socket, 'data')
    return text
  }
  return { socket, read, seen: () => text }
}

/** However it ends. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))

/** Long enough for what is not held back: another connection through the same process has had its echo. */
async function aRoundTripElsewhere(): Promise<void> {
  const other = await TcpProxy.open((echo.address() as AddressInfo).port)
  const socket = connect({ host: '127.0.0.1', port: other.port })
  socket.write('x')
  await once(socket, 'data')
  socket.destroy()
  await other.close()
}

async function heldBack(): Promise<void> {
  while (proxy.heldBytes === 0) await new Promise((resolve) => setImmediate(resolve))
}

describe('a proxy on a link', () => {
  test('carries bytes both ways, and the end of either side', async () => {
    const { socket, read } = await connected()
    const text = 'a'.repeat(300_000)
    socket.end(text)
    assert.equal(await read(text.length), text)
    await once(socket, 'close')
    assert.equal(proxy.heldBytes, 0)
    assert.equal(proxy.counts.accepted, 1)
  })

  test('holds back what goes forth while that way is cut, and lets it go on when it heals', async () => {
    const { socket, read, seen } = await connected()
    proxy.cut('forth')
    socket.write('late')
    await heldBack()
    await aRoundTripElsewhere()
    assert.equal(seen(), '')
    proxy.heal()
    assert.equal(await read(4), 'late')
    assert.equal(proxy.heldBytes, 4)
  })

  test('lets requests through where only answers are cut off', async () => {
    const { socket, read, seen } = await connected()
    proxy.cut('back')
    socket.write('heard')
    // What is held back is the echo: so the server has had it.
    await heldBack()
    assert.equal(seen(), '')
    proxy.heal()
    assert.equal(await read(5), 'heard')
  })

  test('does to new connections what it does to those that are there', async () => {
    proxy.cut()
    const { socket, seen } = await connected()
    socket.write('new')
    await heldBack()
    await aRoundTripElsewhere()
    assert.equal(seen(), '')
  })

  test('does not tell the server of a client that went away behind a cut', async () => {
    const { socket } = await connected()
    socket.write('x')
    await once(socket, 'data')
    proxy.cut()
    socket.destroy()
    await aRoundTripElsewhere()
    assert.equal(sockets[1]!.destroyed || sockets[1]!.readableEnded, false)
    const ended = closed(sockets[1]!)
    proxy.heal()
    await ended
  })

  test('delays each byte, and holds a rate', async () => {
    proxy.set('both', { delayMs: 20 })
    const { socket, read } = await connected()
    let before = performance.now()
    socket.write('slow')
    await read(4)
    assert.ok(performance.now() - before >= 38)
    proxy.set('both', {})
    proxy.set('forth', { bytesPerSecond: 100_000 })
    before = performance.now()
    socket.write('b'.repeat(20_000))
    await read(20_004)
    assert.ok(performance.now() - before >= 100)
  })

  test('breaks connections, and takes new ones', async () => {
    const { socket } = await connected()
    const ended = closed(socket)
    proxy.reset()
    await ended
    assert.equal(proxy.counts.ended, 1)
    const again = await connected()
    again.socket.write('again')
    assert.equal(await again.read(5), 'again')
  })

  test('refuses, as a process does that is gone, until it listens again at the same port', async () => {
    const { port } = proxy
    proxy.refuse()
    const [error] = (await once(connect({ host: '127.0.0.1', port }), 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNREFUSED')
    await proxy.listen()
    assert.equal(proxy.port, port)
    const { socket, read } = await connected()
    socket.write('back')
    assert.equal(await read(4), 'back')
  })

  test('forgets the server\'s side of a connection, and the client is not told', async () => {
    const { socket } = await connected()
    socket.write('x')
    await once(socket, 'data')
    proxy.forget()
    while (sockets.some((one) => one !== socket && !one.destroyed)) await new Promise((resolve) => setImmediate(resolve))
    await aRoundTripElsewhere()
    assert.equal(socket.destroyed || socket.readableEnded, false)
  })

  test('tells the client where nobody is behind it', async () => {
    await new Promise<void>((resolve) => {
      echo.close(() => resolve())
    })
    const socket = connect({ host: '127.0.0.1', port: proxy.port }).on('error', () => {})
    await closed(socket)
    echo.listen(0, '127.0.0.1')
    await once(echo, 'listening')
  })
})
