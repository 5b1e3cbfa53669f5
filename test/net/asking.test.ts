import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heartbeat } from '../../broker/api/heartbeat.ts'
import { type Caller, Router } from '../../broker/api/router.ts'
import { anyBroker } from '../../broker/net/any-broker.ts'
import { type BrokerClient, BrokerUnreachable } from '../../broker/net/broker-client.ts'
import { BrokerLinks } from '../../broker/net/broker-links.ts'
import { heartbeatApi } from '../../broker/protocol/messages/heartbeat.ts'
import type { Handler } from '../../broker/api/handler.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'
import { makeWorld } from '../coordinator/world.ts'

const request = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
const options = { version: 4, timeoutMs: 1_000 }

/** A connection that answers when it is told to, or is lost. */
class FakeClient {
  readonly #lost = Promise.withResolvers<void>()
  readonly waiting: PromiseWithResolvers<unknown>[] = []
  isClosed = false

  get lost(): Promise<void> {
    return this.#lost.promise
  }

  call(): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>()
    this.waiting.push(answer)
    return answer.promise
  }

  answer(errorCode: number): void {
    this.waiting.shift()!.resolve({ response: { throttleTimeMs: 0, errorCode }, release() {} })
  }

  lose(): void {
    this.#lost.resolve()
    for (const { reject } of this.waiting.splice(0)) reject(new BrokerUnreachable('lost'))
  }

  close(): void {
    this.isClosed = true
    this.lose()
  }
}

function setUp(linksMax: number) {
  const clients: FakeClient[] = []
  const links = new BrokerLinks({
    linksMax,
    async connect() {
      clients.push(new FakeClient())
      return clients.at(-1)! as unknown as BrokerClient
    },
  })
  return { clients, ask: () => links.ask(2, heartbeatApi, request, options), links }
}

test('what is asked at the same time goes over connections of its own, as many as there may be', async () => {
  const { clients, ask } = setUp(2)
  const answers = [ask(), ask(), ask()]
  await turn()
  assert.deepEqual(clients.map(({ waiting }) => waiting.length), [2, 1])
  clients[0]!.answer(1)
  clients[1]!.answer(2)
  clients[0]!.answer(3)
  assert.deepEqual((await Promise.all(answers)).map(({ errorCode }) => errorCode), [1, 2, 3])
  const again = ask()
  await turn()
  assert.equal(clients.length, 2, 'they are used again')
  clients.find(({ waiting }) => waiting.length > 0)!.answer(0)
  await again
})

test('a connection that is lost takes with it what was asked, and the next question gets another one', async () => {
  const { clients, ask } = setUp(1)
  const lost = ask()
  await turn()
  clients[0]!.lose()
  await assert.rejects(lost, BrokerUnreachable)
  const next = ask()
  await turn()
  clients[1]!.answer(0)
  assert.equal((await next).errorCode, 0)
})

test('a broker that is not reached is tried again by the next question', async () => {
  let tries = 0
  const links = new BrokerLinks({
    linksMax: 1,
    connect() {
      tries += 1
      return Promise.reject(new BrokerUnreachable('refused'))
    },
  })
  for (const count of [1, 2]) {
    await assert.rejects(links.ask(2, heartbeatApi, request, options), BrokerUnreachable)
    assert.equal(tries, count)
  }
})

test('connections are closed with the rest, those that come late as well', async () => {
  const { clients, ask, links } = setUp(2)
  const answer = ask()
  links.close()
  await assert.rejects(answer, BrokerUnreachable)
  assert.ok(clients[0]!.isClosed)
})

function askingAny(serve?: (frame: Buffer, caller: Caller) => Promise<undefined>) {
  const clock = new ManualClock()
  const router = new Router({
    clock, handlers: [heartbeat(makeWorld().groups)] as unknown as readonly Handler[], onServed() {}, onAway() {}, onDefect() {},
  })
  const others: number[] = []
  const ask = anyBroker({
    clock, brokerId: 1, router: () => (serve === undefined ? router : { serve }),
    async others(brokerId) {
      others.push(brokerId)
      throw new BrokerUnreachable('nobody is there')
    },
  })
  return { clock, others, ask }
}

test('this broker is asked as others are, and only this one', async () => {
  const { others, ask } = askingAny()
  const answer = await ask(1, heartbeatApi, request, options)
  assert.deepEqual(answer, { throttleTimeMs: 0, errorCode: 25 })
  await assert.rejects(ask(2, heartbeatApi, request, options), BrokerUnreachable)
  assert.deepEqual(others, [2])
})

test('this broker has its time as well', async () => {
  const { clock, ask } = askingAny(() => new Promise(() => {}))
  const answer = ask(1, heartbeatApi, request, options)
  answer.catch(() => {})
  await clock.advance(1_000)
  await assert.rejects(answer, BrokerUnreachable)
})
