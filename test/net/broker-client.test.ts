import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { BrokerClient, BrokerUnreachable } from '../../broker/net/broker-client.ts'
import { FrameSplitter } from '../../broker/net/frame-splitter.ts'
import { decodeRequest, encodeResponse } from '../../broker/protocol/header.ts'
import { heartbeatApi } from '../../broker/protocol/messages/heartbeat.ts'
import { BufferPool } from '../../broker/runtime/buffer-pool.ts'
import type { ByteStream, Listener } from '../../broker/runtime/network.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeNetwork } from '../../broker/runtime/node-network.ts'
import { freePort } from '../support/answering.ts'

interface Heard {
  readonly correlationId: number
  readonly clientId: string | null
  readonly groupId: string
}

/** The other side: hears requests, and says what the test wants it to. */
class Peer {
  readonly heard: Heard[] = []
  readonly #listener: Listener
  #stream: ByteStream | undefined

  private constructor(listener: Listener) {
    this.#listener = listener
  }

  static async listen(onRequest: (peer: Peer, heard: Heard) => void): Promise<Peer> {
    const listener = await nodeNetwork.listen({ host: '127.0.0.1', port: 0 }, (stream) => {
      const splitter = new FrameSplitter({ bytesMax: 1 << 20, pool: new BufferPool(0) })
      peer.#stream = stream
      stream.start({
        drained() {},
        closed() {},
        data(bytes) {
          for (const frame of splitter.push(bytes)) {
            const decoded = decodeRequest(frame, () => heartbeatApi)
            assert(decoded.kind === 'request')
            const { correlationId, clientId } = decoded.header
            peer.heard.push({ correlationId, clientId, groupId: decoded.body.groupId as string })
            onRequest(peer, peer.heard.at(-1)!)
          }
        },
      })
    })
    const peer = new Peer(listener)
    after(() => peer.close())
    return peer
  }

  get port(): number {
    return this.#listener.port
  }

  reply(correlationId: number, errorCode: number): void {
    this.write(Buffer.concat(encodeResponse(heartbeatApi, { version: 4, correlationId }, { throttleTimeMs: 0, errorCode })))
  }

  write(bytes: Uint8Array): void {
    this.#stream!.write([bytes])
  }

  hangUp(): void {
    this.#stream?.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    await this.#listener.close()
  }
}

const limits = { connectTimeoutMs: 2000, replyBytesMax: 1000, requestsInFlightMax: 3, pooledBytesMax: 1 << 20 }

async function clientOf(port: number): Promise<BrokerClient> {
  const client = await BrokerClient.connect({
    network: nodeNetwork, clock: nodeClock, address: { host: '127.0.0.1', port }, clientId: 'broker-1', limits,
  })
  after(() => client.close())
  return client
}

function ask(client: BrokerClient, groupId: string, timeoutMs = 5000) {
  const request = { groupId, generationId: 1, memberId: 'm', groupInstanceId: null }
  return client.call(heartbeatApi, { version: 4, request, timeoutMs })
}

test('each reply goes to its request, in whatever order they come', async () => {
  const peer = await Peer.listen((self) => {
    if (self.heard.length < 3) return
    for (const { correlationId, groupId } of self.heard.toReversed()) self.reply(correlationId, Number(groupId))
  })
  const client = await clientOf(peer.port)
  const replies = await Promise.all(['11', '22', '33'].map((group) => ask(client, group)))
  assert.deepEqual(replies.map(({ response }) => response.errorCode), [11, 22, 33])
  assert.deepEqual(peer.heard.map(({ clientId }) => clientId), ['broker-1', 'broker-1', 'broker-1'])
  for (const { release } of replies) release()
})

const endings: readonly [string, (peer: Peer, heard: Heard) => void][] = [
  ['the other side hangs up', (peer) => peer.hangUp()],
  ['a reply comes that nobody waits for', (peer, { correlationId }) => peer.reply(correlationId + 1, 0)],
  ['a reply is longer than allowed', (peer) => peer.write(Buffer.from([0, 1, 0, 0]))],
  ['a reply is too short for its number', (peer) => peer.write(Buffer.from([0, 0, 0, 1, 7]))],
]

for (const [what, act] of endings) {
  test(`every request under way fails where ${what}, and so does every later one`, async () => {
    const peer = await Peer.listen((self, heard) => self.heard.length === 2 && act(self, heard))
    const client = await clientOf(peer.port)
    const outcomes = await Promise.allSettled([ask(client, 'a'), ask(client, 'b')])
    for (const outcome of outcomes) assert.ok(outcome.status === 'rejected' && outcome.reason instanceof BrokerUnreachable)
    assert.equal(client.isLost, true)
    await assert.rejects(ask(client, 'c'), BrokerUnreachable)
  })
}

test('a reply that does not hold what it must ends the connection', async () => {
  const peer = await Peer.listen((self, { correlationId }) => {
    const frame = Buffer.alloc(9)
    frame.writeInt32BE(5)
    frame.writeInt32BE(correlationId, 4)
    self.write(frame)
  })
  const client = await clientOf(peer.port)
  await assert.rejects(ask(client, 'a'))
  assert.equal(client.isLost, true)
})

test('silence ends the connection when the time of a request is over', async () => {
  const peer = await Peer.listen(() => {})
  const client = await clientOf(peer.port)
  await assert.rejects(ask(client, 'a', 50), (error) => error instanceof BrokerUnreachable && !error.isRefused)
  assert.equal(client.isLost, true)
})

test('more requests than allowed are refused, and those under way go on', async () => {
  const peer = await Peer.listen((self, { correlationId }) => self.heard.length === 3 && self.reply(correlationId, 5))
  const client = await clientOf(peer.port)
  const under = ['a', 'b', 'c'].map((group) => ask(client, group))
  under.forEach((one) => one.catch(() => {}))
  await assert.rejects(ask(client, 'd'), BrokerUnreachable)
  assert.equal((await under[2]!).response.errorCode, 5)
  assert.equal(client.isLost, false)
})

test('a port where nobody listens is told from a host that is silent', async () => {
  await assert.rejects(clientOf(await freePort()), (error) => error instanceof BrokerUnreachable && error.isRefused)
})
