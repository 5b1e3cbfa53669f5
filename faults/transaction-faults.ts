// What happens to transactions: their coordinator ends or stands still at each step of one, and what was sent in one comes late.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { endTxnApi } from '../broker/protocol/messages/end-txn.ts'
import { findCoordinatorApi } from '../broker/protocol/messages/find-coordinator.ts'
import { produceApi } from '../broker/protocol/messages/produce.ts'
import { recordOf, transactionalBatch } from '../sim/workload/batches.ts'
import { type Session, Transactor } from '../sim/workload/transactor.ts'
import { surelyNotWritten } from '../sim/workload/verdict.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { type Fault, partitionsNow, type Scene } from './fault.ts'
import { observe } from './metadata.ts'
import { TcpProxy } from './proxy.ts'
import { RealReach } from './reach.ts'
import { endFrom, type TopicPlace } from './reads.ts'

const deathMsMax = 2_000
const silenceMsMax = 4_000
/** Above what it takes until somebody else coordinates: what is shown here is not that it is aborted. */
const timeoutMs = 30_000

/** One that does what it is told, step by step. */
class Scripted {
  readonly transactor: Transactor
  readonly transactionalId: string
  readonly #scene: Scene
  readonly #reach: RealReach

  constructor(scene: Scene, { name, isOld = false }: { readonly name: string; readonly isOld?: boolean }) {
    const { load: { history, topic }, cluster } = scene
    this.transactionalId = `${topic}-${name}`
    this.#scene = scene
    this.#reach = new RealReach(name, cluster.bootstrap)
    this.transactor = new Transactor(this.#reach, { name, transactionalId: this.transactionalId, isOld, timeoutMs, history })
  }

  /** As far as a record in each partition, in a session that was begun anew where there was none. */
  async write(places: readonly TopicPlace[]): Promise<void> {
    await this.begin()
    for (const place of places) assert.equal(await this.transactor.send({ place, count: 2, fillerBytes: 20 }), 'done', 'a record of a transaction was refused')
  }

  async begin(): Promise<void> {
    if (!this.transactor.hasSession) assert.equal(await this.transactor.init(), 'done', 'a transactional producer got no session')
    this.transactor.begin()
  }

  async end(asked: 'commit' | 'abort'): Promise<void> {
    assert.equal(await this.transactor.end(asked), 'ok', `a transaction could not be told to ${asked}`)
  }

  coordinator(): Promise<number> {
    return coordinatorOf(this.#scene, this.transactionalId)
  }

  close(): void {
    this.#reach.close()
  }
}

async function coordinatorOf({ cluster }: Scene, transactionalId: string): Promise<number> {
  const wire = await WireClient.connect(cluster.observed[0]!, 'observer')
  try {
    for (;;) {
      const { coordinators: [found] } = await wire.call(findCoordinatorApi, { key: '', keyType: 1, coordinatorKeys: [transactionalId] })
      if (found?.errorCode === ErrorCode.NONE) return found.nodeId
      await sleep(50)
    }
  } finally {
    wire.close()
  }
}

type Step = 'before its first record' | 'with records in it' | 'while it ends' | 'once it has ended'
const steps: readonly Step[] = ['before its first record', 'with records in it', 'while it ends', 'once it has ended']

/** One transaction that is committed, with something done to its coordinator at a step. */
async function through(scripted: Scripted, places: readonly TopicPlace[], at: Step, strike: (coordinator: number) => Promise<void>): Promise<void> {
  const [first, ...rest] = places
  await scripted.begin()
  const coordinator = await scripted.coordinator()
  if (at === 'before its first record') await strike(coordinator)
  const send = async (place: TopicPlace) =>
    assert.equal(await scripted.transactor.send({ place, count: 2, fillerBytes: 20 }), 'done', `a record was refused when its coordinator was struck ${at}`)
  await send(first!)
  if (at === 'with records in it') await strike(coordinator)
  for (const place of rest) await send(place)
  const ended = scripted.end('commit')
  if (at === 'while it ends') await strike(coordinator)
  await ended
  if (at === 'once it has ended') await strike(coordinator)
}

async function inSync(scene: Scene, withinMs = 30_000): Promise<void> {
  for (const until = performance.now() + withinMs; performance.now() < until; await sleep(50)) {
    const states = await partitionsNow(scene)
    if (states.length > 0 && states.every(({ isr, leader }) => isr.length === 3 && leader >= 0)) return
  }
  throw new Error(`not everybody was in sync again within ${withinMs} ms`)
}

/** Other transactions got on since. */
function gotOn({ transactions, begunAt }: Scene): string {
  const ended = transactions!.endedSince(begunAt)
  assert.ok(ended > 0, 'no transaction has ended since')
  return `${ended} transactions ended meanwhile`
}

export const transactionFaults: readonly Fault[] = [
  {
    name: 'transaction coordinator killed at each step', row: 'F32', seconds: 0, gapMsMax: deathMsMax, hasTransactions: true,
    async begin(scene) {
      const { cluster, transactions } = scene
      const scripted = new Scripted(scene, { name: 'scripted' })
      const struck: number[] = []
      for (const step of steps) {
        await through(scripted, transactions!.places, step, async (coordinator) => {
          struck.push(coordinator)
          await cluster.kill(coordinator)
        })
        await cluster.start(struck.at(-1)!)
        await inSync(scene)
      }
      scripted.close()
      return { effect: async () => `coordinators ${struck.join(', ')} killed, each transaction was committed; ${gotOn(scene)}`, end: async () => {} }
    },
  },
  {
    name: 'transaction coordinator stands still at each step', row: 'F32', seconds: 0, gapMsMax: silenceMsMax, hasTransactions: true,
    async begin(scene) {
      const { cluster, transactions } = scene
      const scripted = new Scripted(scene, { name: 'scripted' })
      const struck: number[] = []
      for (const step of ['with records in it', 'while it ends'] as const) {
        await through(scripted, transactions!.places, step, async (coordinator) => {
          struck.push(coordinator)
          cluster.pause(coordinator)
        })
        // The one that took over has ended it; now the one that did not know it was deposed goes on.
        cluster.resume(struck.at(-1)!)
        await inSync(scene)
      }
      scripted.close()
      return { effect: async () => `coordinators ${struck.join(', ')} deposed, each transaction was committed; ${gotOn(scene)}`, end: async () => {} }
    },
  },
  {
    name: 'transaction coordinator killed between markers', row: 'F32', seconds: 0, gapMsMax: silenceMsMax, hasTransactions: true,
    async begin(scene) {
      const { cluster, transactions, load: { history } } = scene
      const scripted = new Scripted(scene, { name: 'scripted' })
      await scripted.write(transactions!.places)
      const coordinator = await scripted.coordinator()
      const states = await observe(cluster.observed, transactions!.places[0]!.topicId)
      const elsewhere = states.find(({ leader }) => leader !== coordinator)
      assert.ok(elsewhere !== undefined, 'the coordinator leads all that transactions write to')
      const place = transactions!.places[elsewhere.partition]!
      cluster.link(coordinator, elsewhere.leader).cut('forth')
      await scripted.end('commit')
      const written = history.attempts.findLast(({ producer, partition }) => producer === 'scripted' && partition === place.partition)!
      const wire = await WireClient.connect(cluster.addressOf(elsewhere.leader), 'observer')
      const { offset: stable } = await endFrom(wire, { ...place, which: 'stable' })
      wire.close()
      await cluster.kill(coordinator)
      cluster.heal()
      return {
        async effect() {
          assert.ok(stable <= written.offset, 'every marker was written before the coordinator was killed')
          return `the end was acknowledged with a marker of ${place.topic}-${place.partition} to come; ${gotOn(scene)}`
        },
        async end() {
          scripted.close()
          await cluster.start(coordinator)
        },
      }
    },
  },
  {
    name: 'what was sent in a transaction comes in the next one', row: 'F33', seconds: 0, gapMsMax: 1_000, hasTransactions: true,
    async begin(scene) {
      const told = new Map<string, number>()
      const count = (what: string, error: number | undefined) => {
        const name = `${what} ${nameOfError(error)}`
        told.set(name, (told.get(name) ?? 0) + 1)
      }
      const scripted = new Scripted(scene, { name: 'scripted' })
      for (const asked of ['commit', 'abort', 'commit', 'abort'] as const) await lateInNext(scene, { scripted, asked, count })
      const old = new Scripted(scene, { name: 'scripted-old', isOld: true })
      await lateAfterEnd(scene, { scripted: old, count })
      for (const one of [scripted, old]) one.close()
      return {
        async effect() {
          const taken = [...told.keys()].filter((name) => name.endsWith(' NONE'))
          assert.deepEqual(taken, [], 'something late was taken')
          return [...told].map(([name, times]) => `${name} ${times}`).join(', ')
        },
        end: async () => {},
      }
    },
  },
]

interface Late {
  readonly scripted: Scripted
  readonly asked: 'commit' | 'abort'
  readonly count: (what: string, error: number | undefined) => void
}

/** An end and a batch of one transaction are held back until the next one is open, which then ends in the other way. */
async function lateInNext(scene: Scene, { scripted, asked, count }: Late): Promise<void> {
  const place = scene.transactions!.places[0]!
  await scripted.write([place])
  const { transactor, transactionalId } = scripted
  const session = transactor.session!
  const held = await Held.open(scene, { coordinator: await scripted.coordinator(), place })
  const end = held.coordinator.call(endTxnApi, { transactionalId, ...session, committed: asked === 'commit' }, { timeoutMs: 30_000 })
  const batch = produceLate(scene, { held, place, scripted, base: 2, version: produceApi.versions.end })
  await scripted.end(asked === 'commit' ? 'abort' : 'commit')
  await scripted.write([place])
  held.letGo()
  count('EndTxn', (await end).errorCode)
  count('Produce', await batch)
  await scripted.end(asked === 'commit' ? 'abort' : 'commit')
  await held.close()
}

/** Before KIP-890 the next transaction has the same epoch: here the leader has to ask whether there is one. */
async function lateAfterEnd(scene: Scene, { scripted, count }: Omit<Late, 'asked'>): Promise<void> {
  const place = scene.transactions!.places[0]!
  await scripted.write([place])
  const held = await Held.open(scene, { coordinator: await scripted.coordinator(), place })
  const batch = produceLate(scene, { held, place, scripted, base: 2, version: 11 })
  await scripted.end('commit')
  // Until then the leader would be told to ask again.
  await sleep(500)
  held.letGo()
  count('old Produce', await batch)
  await held.close()
}

/** Connections on which nothing arrives until they are let go. */
class Held {
  readonly coordinator: WireClient
  readonly leader: WireClient
  readonly #proxies: readonly TcpProxy[]

  private constructor(of: { coordinator: WireClient; leader: WireClient; proxies: readonly TcpProxy[] }) {
    this.coordinator = of.coordinator
    this.leader = of.leader
    this.#proxies = of.proxies
  }

  static async open({ cluster }: Scene, of: { readonly coordinator: number; readonly place: TopicPlace }): Promise<Held> {
    const { leader } = (await observe(cluster.observed, of.place.topicId))[of.place.partition]!
    const proxies = await Promise.all([of.coordinator, leader].map((id) => TcpProxy.open(Number(cluster.addressOf(id).split(':')[1]))))
    const [coordinator, toLeader] = await Promise.all(proxies.map(({ port }) => WireClient.connect(`127.0.0.1:${port}`, 'held')))
    // They are connected before anything is held back.
    await sleep(50)
    for (const proxy of proxies) proxy.cut('forth')
    return new Held({ coordinator: coordinator!, leader: toLeader!, proxies })
  }

  letGo(): void {
    for (const proxy of this.#proxies) proxy.heal()
  }

  async close(): Promise<void> {
    for (const wire of [this.coordinator, this.leader]) wire.close()
    await Promise.all(this.#proxies.map((proxy) => proxy.close()))
  }
}

interface LateBatch {
  readonly held: Held
  readonly place: TopicPlace
  readonly scripted: Scripted
  readonly base: number
  readonly version: number
}

/** Sends a batch of what is open now; resolves with what it was told. */
async function produceLate({ load: { history } }: Scene, { held, place, scripted, base, version }: LateBatch): Promise<number> {
  const { transactor, transactionalId } = scripted
  const session: Session = transactor.session!
  const transaction = transactor.transaction!
  const { topic, topicId, partition } = place
  const value = `late:${transaction}`
  const bytes = transactionalBatch([recordOf(value, 20)], { ...session, baseSequence: base })
  const invokedAt = performance.now()
  const { responses: [response] } = await held.leader.call(produceApi, {
    transactionalId, acks: -1, timeoutMs: 5_000, topicData: [{ name: topic, topicId, partitionData: [{ index: partition, records: [bytes] }] }],
  }, { version, timeoutMs: 30_000 })
  const { errorCode: error, baseOffset } = response!.partitionResponses[0]!
  const outcome = error === ErrorCode.NONE ? 'ok' : surelyNotWritten.has(error) ? 'fail' : 'info'
  history.attempts.push({
    producer: `${transactionalId}-late`, topicId, partition, batch: 0, values: [value], invokedAt, endedAt: performance.now(), outcome,
    sequence: { ...session, base }, transaction, offset: outcome === 'ok' ? baseOffset : -1, error,
  })
  return error
}

function nameOfError(error: number | undefined): string {
  return Object.entries(ErrorCode).find(([, code]) => code === error)?.[0] ?? String(error)
}
