// Who does what to the brokers of a run.

import type { RunOptions } from '../options.ts'
import type { Actor } from './actor.ts'
import { Client, type Surroundings } from './client.ts'
import { Churn } from './churn.ts'
import { Committer } from './committer.ts'
import { Consumer } from './consumer.ts'
import { endOf, followersOf, readBetween, readLog } from './final-reads.ts'
import { Lister } from './lister.ts'
import { committedOffset } from './loop.ts'
import { Mover } from './mover.ts'
import { Producer } from './producer.ts'
import { makeTopic, type WantedTopic } from './topics.ts'
import { actorsOf, groups, namesOf, topicsOf } from './transactions.ts'
import type { Topical } from './transactor.ts'

/** Every kind of topic in small, so that seals, uploads, eviction, cold reads and retention happen within a minute. */
function wantedTopics(options: RunOptions): WantedTopic[] {
  const { partitions, segmentBytes } = options
  const small = { 'segment.bytes': String(segmentBytes), 'segment.ms': '8000', 'index.interval.bytes': '256' }
  return [
    { name: 'tiered', partitions, configs: { ...small, 'retention.ms': '-1', 'local.retention.ms': '5000' } },
    { name: 'plain', partitions: 1, configs: { ...small, 'retention.ms': '-1', 'remote.storage.enable': 'false' } },
    { name: 'short', partitions: 1, configs: { ...small, 'retention.ms': '30000', 'local.retention.ms': '8000' } },
    ...topicsOf(options, small),
  ]
}

export class Load {
  /** Of all clients. */
  readonly names: string[]
  readonly #surroundings: Surroundings
  readonly #options: RunOptions
  readonly #clients = new Map<string, Client>()
  #actors: Actor[] = []
  #places: Topical[] = []
  #before = new Map<Actor, number>()

  constructor(surroundings: Surroundings, options: RunOptions) {
    this.#surroundings = surroundings
    this.#options = options
    const count = options.partitions + 2
    this.names = [
      'admin', 'lister', 'committer', 'churn', 'mover',
      ...Array.from({ length: count }, (_, index) => [`idempotent-${index}`, `plain-${index}`, `tail-${index}`, `history-${index}`]).flat(),
      ...namesOf(options),
    ]
    for (const name of this.names) this.#clients.set(name, new Client(name, surroundings))
  }

  /** Makes the topics and begins. */
  async begin(): Promise<void> {
    const admin = this.#client('admin')
    const { thinkMs, inFlightMax, fillerBytesMax, partitions } = this.#options
    for (const wanted of wantedTopics(this.#options)) {
      const life = await makeTopic(admin, wanted)
      for (let partition = 0; partition < wanted.partitions; partition++) this.#places.push({ topicId: life.topicId, partition, topic: wanted.name })
    }
    const producing = { recordsMax: 6, fillerBytesMax, thinkMs }
    this.#actors = this.#places.slice(0, partitions + 2).flatMap((place, index): Actor[] => [
      new Producer(this.#client(`idempotent-${index}`), { place, isIdempotent: true, ...producing, inFlightMax }),
      new Producer(this.#client(`plain-${index}`), { place, isIdempotent: false, ...producing, thinkMs: thinkMs * 2, inFlightMax: 2 }),
      new Consumer(this.#client(`tail-${index}`), { place, topic: place.topic, rereads: false, thinkMs: 50 }),
      new Consumer(this.#client(`history-${index}`), { place, topic: place.topic, rereads: true, thinkMs: 150 }),
    ])
    this.#actors.push(new Lister(this.#client('lister'), this.#places), new Committer(this.#client('committer'), this.#places[0]!))
    this.#actors.push(new Churn(this.#client('churn')))
    this.#actors.push(...actorsOf({ options: this.#options, places: this.#places, client: (name) => this.#client(name) }))
    const { brokers, moveMs } = this.#options
    if (moveMs > 0) this.#actors.push(new Mover(this.#client('mover'), { topics: this.#places, brokers, thinkMs: moveMs }))
    for (const actor of this.#actors) actor.start()
  }

  /** Resolves once everybody got something done since. */
  async progress(): Promise<void> {
    this.#before = new Map(this.#actors.map((actor) => [actor, actor.done]))
    while (this.#behind().length > 0) await this.#surroundings.scheduler.sleep(100)
  }

  /** Who has not got on, in words. */
  laggards(): string {
    return this.#behind().map(({ name }) => name).join(', ')
  }

  async stop(): Promise<void> {
    await Promise.all(this.#actors.map((actor) => actor.stop()))
  }

  /** Resolves once no transaction is open anywhere, and writes down what they have committed. */
  async settle(): Promise<void> {
    const { hasTransactions } = this.#options
    await Promise.all(this.#places.map(async (place) => {
      const client = this.#reader(place)
      while (hasTransactions && (await endOf(client, place, 'stable')) < (await endOf(client, place, 'latest'))) await client.think(200)
    }))
    const source = this.#places.find(({ topic }) => topic === 'plain')!
    for (const group of hasTransactions ? groups : []) {
      const client = this.#reader(source)
      while ((await committedOffset(client, { group, source })) === undefined) {
        client.hangUp()
        await client.think(200)
      }
    }
  }

  /** Reads every partition from its earliest offset, and then again from each replica that is in sync. */
  async readAll(): Promise<void> {
    const { history } = this.#surroundings
    await Promise.all(this.#places.map(async (place) => {
      const client = this.#reader(place)
      const final = await readLog(client, place)
      history.finals.push(final)
      for (const replica of await followersOf(client, place)) {
        const { earliest, latest } = final
        const read = await readBetween(client, place, { earliest, latest, follower: replica.address })
        if (read !== undefined) history.replicas.push({ ...final, broker: replica.id, ...read })
      }
    }))
  }

  #behind(): Actor[] {
    return this.#actors.filter((actor) => !actor.isRetired && actor.done <= (this.#before.get(actor) ?? 0))
  }

  #reader(place: Topical): Client {
    const index = this.#places.indexOf(place)
    return this.#clients.get(`history-${index}`) ?? this.#client('admin').another(`history-${index}`)
  }

  #client(name: string): Client {
    return this.#clients.get(name)!
  }
}
