import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import type { ByteStream } from '../../broker/runtime/network.ts'
import { SimNetwork } from '../../sim/network.ts'
import { SimProcess } from '../../sim/process.ts'
import { Scheduler } from '../../sim/scheduler.ts'

describe('the simulated network', () => {
  let scheduler: Scheduler
  let network: SimNetwork
  let server: SimProcess
  let client: SimProcess
  let accepted: ByteStream | undefined
  /** What each side heard. */
  let heard: { server: string[]; client: string[] }

  beforeEach(async () => {
    scheduler = new Scheduler(1)
    network = new SimNetwork(scheduler)
    server = new SimProcess('server', scheduler)
    client = new SimProcess('client', scheduler)
    accepted = undefined
    heard = { server: [], client: [] }
    await network.of(server, 'server').listen({ host: 'server', port: 1 }, (stream) => {
      accepted = stream
      stream.start(listening(heard.server))
    })
  })

  function listening(to: string[]) {
    return {
      data: (bytes: Buffer) => void to.push(bytes.toString()),
      drained: () => {},
      closed: (cause: Error | undefined) => void to.push(`closed: ${cause?.message ?? 'in order'}`),
    }
  }

  async function connected(): Promise<ByteStream> {
    let stream: ByteStream | undefined
    network.of(client, 'client').connect({ host: 'server', port: 1 }, 1_000).then((made) => {
      stream = made
      made.start(listening(heard.client))
    }, () => {})
    await scheduler.run(scheduler.now + 10)
    assert.ok(stream !== undefined)
    return stream
  }

  const pass = (ms: number) => scheduler.run(scheduler.now + ms)
  const digits = Array.from({ length: 200 }, (_, index) => String(index % 10))

  test('brings the bytes of a connection in order, whatever the delays and however they are cut into pieces', async () => {
    const stream = await connected()
    Object.assign(network.weather, { jitterMs: 50, splits: 0.9 })
    for (const digit of digits) stream.write([Buffer.from(`${digit}--`)])
    await pass(1_000)
    assert.equal(heard.server.join(''), digits.map((digit) => `${digit}--`).join(''))
  })

  test('holds back what is sent over a cut link, and brings it in order once the link is healed', async () => {
    const stream = await connected()
    digits.forEach((digit, index) => scheduler.after(index, 'write', () => stream.write([Buffer.from(digit)])))
    scheduler.after(50.5, 'cut', () => network.cut('client', 'server'))
    scheduler.after(120.5, 'heal', () => network.heal('client', 'server'))
    await pass(100)
    assert.ok(heard.server.length < 60)
    await pass(1_000)
    assert.equal(heard.server.join(''), digits.join(''))
  })

  test('lets the other direction of a cut link go on', async () => {
    await connected()
    network.cut('client', 'server')
    accepted!.write([Buffer.from('still here')])
    await pass(10)
    assert.deepEqual(heard.client, ['still here'])
  })

  test('ends a connection whose link stays cut', async () => {
    const stream = await connected()
    network.cut('client', 'server')
    stream.write([Buffer.from('lost')])
    await pass(60_000)
    assert.deepEqual(heard, { client: ['closed: ETIMEDOUT'], server: [] })
  })

  test('tells the peer of a process that was killed', async () => {
    await connected()
    server.end()
    await pass(10)
    assert.deepEqual(heard.client, ['closed: ECONNRESET'])
  })

  test('tells nobody of a machine without power, until somebody writes to it', async () => {
    const stream = await connected()
    server.end({ isSilent: true })
    await pass(10_000)
    assert.deepEqual(heard.client, [])
    stream.write([Buffer.from('anybody?')])
    await pass(10)
    assert.deepEqual(heard.client, ['closed: ECONNRESET'])
  })

  test('reads a write when it arrives: who uses its memory again before it was taken sends something else', async () => {
    const stream = await connected()
    const bytes = Buffer.from('early')
    stream.write([bytes])
    bytes.write('later')
    await pass(10)
    assert.deepEqual(heard.server, ['later'])
  })

  test('spoils what a reader keeps beyond the call', async () => {
    const stream = await connected()
    let kept: Buffer | undefined
    accepted!.start({ ...listening([]), data: (bytes) => (kept = bytes) })
    stream.write([Buffer.from('lent')])
    await pass(10)
    assert.notEqual(kept?.toString(), 'lent')
  })

  test('does not take more than a window of what the reader does not want yet', async () => {
    const stream = await connected()
    accepted!.pause()
    let taken = 0
    for (let piece = 0; piece < 10; piece++) stream.write([Buffer.alloc(16 * 1024)], () => taken++)
    await pass(100)
    assert.equal(taken, 4)
    assert.equal(stream.bytesQueued, 6 * 16 * 1024)
    accepted!.resume()
    await pass(100)
    assert.equal(taken, 10)
    assert.equal(stream.bytesQueued, 0)
  })

  test('keeps what comes for a paused process until it goes on', async () => {
    const stream = await connected()
    server.pause()
    stream.write([Buffer.from('waits')])
    await pass(100)
    assert.deepEqual(heard.server, [])
    server.resume()
    await pass(0)
    assert.deepEqual(heard.server, ['waits'])
  })

  test('refuses where nobody listens, and is late where the link is cut', async () => {
    const outcomes: string[] = []
    const dial = (port: number) => network.of(client, 'client').connect({ host: 'server', port }, 500)
      .then(() => outcomes.push('stands'), ({ code, message }: NodeJS.ErrnoException) => outcomes.push(code ?? message))
    void dial(2)
    await pass(10)
    assert.deepEqual(outcomes, ['ECONNREFUSED'])
    network.cut('server', 'client')
    void dial(1)
    await pass(1_000)
    assert.deepEqual(outcomes, ['ECONNREFUSED', 'no connection to server'])
  })
})
