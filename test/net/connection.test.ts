import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reply } from '../../broker/api/router.ts'
import { Connection, type ConnectionLimits } from '../../broker/net/connection.ts'
import type { ByteStream, ByteStreamEvents } from '../../broker/runtime/network.ts'
import { BufferPool } from '../../broker/runtime/buffer-pool.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'

class FakeStream implements ByteStream {
  readonly remoteHost = '127.0.0.1'
  readonly remotePort = 1
  readonly written: string[] = []
  bytesQueued = 0
  isPaused = false
  isEnded = false
  events!: ByteStreamEvents
  start(events: ByteStreamEvents): void { this.events = events }
  write(buffers: readonly Uint8Array[]): void { this.written.push(Buffer.concat(buffers).toString()) }
  pause(): void { this.isPaused = true }
  resume(): void { this.isPaused = false }
  end(): void { this.isEnded = true }
  destroy(): void { this.events.closed(undefined) }
}

const limits: ConnectionLimits = {
  requestBytesMax: 1000, requestsInFlightMax: 4, requestBytesInFlightMax: 500, replyBytesQueuedMax: 100,
  writeStallMsMax: 30_000, idleMsMax: 60_000,
}

/** A frame with an API key and a text behind it. */
function frame(key: number, text: string): Buffer {
  const bytes = Buffer.alloc(6 + text.length)
  bytes.writeInt32BE(2 + text.length)
  bytes.writeInt16BE(key, 4)
  bytes.write(text, 6)
  return bytes
}

function open(overrides: Partial<ConnectionLimits> = {}) {
  const stream = new FakeStream()
  const clock = new ManualClock()
  const served: string[] = []
  const finish = new Map<string, (reply: Reply | undefined) => void>()
  const fail = new Map<string, (cause: Error) => void>()
  const closed: (Error | undefined)[] = []
  const connection = new Connection({
    stream, clock, limits: { ...limits, ...overrides }, pool: new BufferPool(0),
    serve: (bytes) => new Promise((resolve, reject) => {
      const text = bytes.toString('utf8', 2)
      served.push(text)
      finish.set(text, resolve)
      fail.set(text, reject)
    }),
    onClosed: (_connection, cause) => closed.push(cause),
  })
  const reply = async (text: string) => {
    finish.get(text)!({ pieces: [Buffer.from(text.toUpperCase())] })
    await turn()
  }
  return { stream, clock, connection, served, finish, fail, closed, reply, send: (...frames: Buffer[]) => stream.events.data(Buffer.concat(frames)) }
}

test('a request waits until the one before it is answered', async () => {
  const { send, served, reply, stream } = open()
  send(frame(3, 'one'), frame(3, 'two'))
  assert.deepEqual(served, ['one'])
  await reply('one')
  assert.deepEqual(served, ['one', 'two'])
  await reply('two')
  assert.deepEqual(stream.written, ['ONE', 'TWO'])
})

test('a produce behind a produce is served at once, and their replies keep the order of the requests', async () => {
  const { send, served, reply, stream } = open()
  send(frame(0, 'one'), frame(0, 'two'), frame(1, 'three'))
  assert.deepEqual(served, ['one', 'two'])
  await reply('two')
  assert.deepEqual(stream.written, [])
  await reply('one')
  assert.deepEqual(stream.written, ['ONE', 'TWO'])
  assert.deepEqual(served, ['one', 'two', 'three'])
})

test('a request without a reply sends nothing and lets the next one through', async () => {
  const { send, finish, served, stream } = open()
  send(frame(0, 'one'), frame(3, 'two'))
  finish.get('one')!(undefined)
  await turn()
  assert.deepEqual(stream.written, [])
  assert.deepEqual(served, ['one', 'two'])
})

test('a client that sends more than may be in flight is paused, and resumed when there is room', async () => {
  const { send, reply, stream } = open()
  send(frame(3, 'a'), frame(3, 'b'), frame(3, 'c'), frame(3, 'd'))
  assert.equal(stream.isPaused, true)
  await reply('a')
  assert.equal(stream.isPaused, false)
})

test('bytes in flight count as well as requests', async () => {
  const { send, reply, stream } = open()
  send(frame(3, 'x'.repeat(600)))
  assert.equal(stream.isPaused, true)
  await reply('x'.repeat(600))
  assert.equal(stream.isPaused, false)
})

test('a client that does not take its replies gets no more of them, and is closed after a while', async () => {
  const { send, reply, stream, served, clock, closed } = open()
  send(frame(3, 'one'), frame(3, 'two'))
  stream.bytesQueued = 200
  await reply('one')
  assert.deepEqual(served, ['one'])
  await clock.advance(29_000)
  assert.equal(closed.length, 0)
  await clock.advance(20_000)
  assert.match(closed[0]!.message, /took nothing/)
})

test('a client that takes its replies slowly is left alone', async () => {
  const { stream, clock, send, reply, closed } = open()
  send(frame(3, 'one'))
  stream.bytesQueued = 5_000
  await reply('one')
  for (let step = 0; step < 20; step++) {
    stream.bytesQueued -= 100
    await clock.advance(10_000)
  }
  assert.deepEqual(closed, [])
})

test('a silent client is closed, but not one that waits for an answer', async () => {
  const idle = open()
  await idle.clock.advance(80_000)
  assert.match(idle.closed[0]!.message, /silent/)
  const waiting = open()
  waiting.send(frame(1, 'long poll'))
  await waiting.clock.advance(600_000)
  assert.deepEqual(waiting.closed, [])
})

test('a frame that is too long and a request that cannot be served close this connection only', async () => {
  const long = open()
  long.send(Buffer.from([0x16, 0x03, 0x01, 0x00]))
  assert.match(long.closed[0]!.message, /at most 1000/)
  const broken = open()
  broken.send(frame(3, 'one'))
  broken.fail.get('one')!(new Error('malformed'))
  await turn()
  assert.match(broken.closed[0]!.message, /malformed/)
  assert.equal(broken.connection.signal.aborted, true)
})

test('a connection that was ended goes on reading, to hear the other side close, and serves nothing more', async () => {
  const { connection, send, served, stream } = open()
  connection.drain()
  assert.equal(stream.isEnded, true)
  assert.equal(stream.isPaused, false)
  send(frame(3, 'late'))
  assert.deepEqual(served, [])
})

test('draining answers what has arrived and then closes', async () => {
  const { connection, send, reply, stream } = open()
  send(frame(3, 'one'), frame(3, 'two'))
  connection.drain()
  assert.equal(stream.isEnded, false)
  await reply('one')
  await reply('two')
  assert.equal(stream.isEnded, true)
  assert.deepEqual(stream.written, ['ONE', 'TWO'])
})
