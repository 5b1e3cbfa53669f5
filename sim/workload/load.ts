// Who does what to the brokers of a run.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { logged } from '../check/batches.ts'
import type { FinalLog, LoggedBatch, Place, Sighting } from '../check/history.ts'
import type { RunOptions } from '../options.ts'
import type { Actor } from './actor.ts'
import { Client, type Surroundings } from './client.ts'
import { Churn } from './churn.ts'
import { Committer } from './committer.ts'
import { Consumer, fetchOnce } from './consumer.ts'
import { askForEnd, Lister } from './lister.ts'
import { Mover } from './mover.ts'
import { Producer } from './producer.ts'
import { makeTopic, type WantedTopic } from './topics.ts'

interface Named extends Place {
  readonly topic: string
}

/** Every kind of topic in small, so that seals, uploads, eviction, cold reads and retention happen within a minute. */
function wantedTopics({ partitions, segmentBytes }: RunOptions): WantedTopic[] {
  const small = { 'segment.bytes': String(segmentBytes), 'segment.ms': '8000', 'index.interval.bytes': '256' }
  return [
    { name: 'tiered', partitions, configs: { ...small, 'retention.ms': '-1', 'local.retention.ms': '5000' } },
    { name: 'plain', partitions: 1, configs: { ...small, 'retention.ms': '-1', 'remote.storage.enable': 'false' } },
    { name: 'short', partitions: 1, configs: { ...small, 'retention.ms': '30000', 'local.retention.ms': '8000' } },
  ]
}

export class Load {
  /** Of all clients. */
  readonly names: string[]
  readonly #surroundings: Surroundings
  readonly #options: RunOptions
  readonly #clients = new Map<string, Client>()
  #actors: Actor[] = []
  #places: Named[] = []
  #before = new Map<Actor, number>()

  constructor(surroundings: Surroundings, options: RunOptions) {
    this.#surroundings = surroundings
    this.#options = options
    const count = options.partitions + 2
    this.names = [
      'admin', 'lister', 'committer', 'churn', 'mover',
      ...Array.from({ length: count }, (_, index) => [`idempotent-${index}`, `plain-${index}`, `tail-${index}`, `history-${index}`]).flat(),
    ]
    for (const name of this.names) this.#clients.set(name, new Client(name, surroundings))
  }

  /** Makes the topics and begins. */
  async begin(): Promise<void> {
    const admin = this.#client('admin')
    const { thinkMs, inFlightMax, fillerBytesMax } = this.#options
    for (const wanted of wantedTopics(this.#options)) {
      const life = await makeTopic(admin, wanted)
      for (let partition = 0; partition < wanted.partitions; partition++) this.#places.push({ topicId: life.topicId, partition, topic: wanted.name })
    }
    const producing = { recordsMax: 6, fillerBytesMax, thinkMs }
    this.#actors = this.#places.flatMap((place, index): Actor[] => [
      new Producer(this.#client(`idempotent-${index}`), { place, isIdempotent: true, ...producing, inFlightMax }),
      new Producer(this.#client(`plain-${index}`), { place, isIdempotent: false, ...producing, thinkMs: thinkMs * 2, inFlightMax: 2 }),
      new Consumer(this.#client(`tail-${index}`), { place, topic: place.topic, rereads: false, thinkMs: 50 }),
      new Consumer(this.#client(`history-${index}`), { place, topic: place.topic, rereads: true, thinkMs: 150 }),
    ])
    this.#actors.push(new Lister(this.#client('lister'), this.#places), new Committer(this.#client('committer'), this.#places[0]!))
    this.#actors.push(new Churn(this.#client('churn')))
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

  /** Reads every partition from its earliest offset, and then again from each replica that is in sync. */
  async readAll(): Promise<void> {
    const { history } = this.#surroundings
    await Promise.all(this.#places.map(async (place, index) => {
      const client = this.#client(`history-${index}`)
      const final = await readLog(client, place)
      history.finals.push(final)
      for (const replica of await followersOf(client, place)) {
        const read = await readBetween(client, place, final, replica.address)
        if (read !== undefined) history.replicas.push({ ...final, broker: replica.id, ...read })
      }
    }))
  }

  #behind(): Actor[] {
    return this.#actors.filter((actor) => !actor.isRetired && actor.done <= (this.#before.get(actor) ?? 0))
  }

  #client(name: string): Client {
    return this.#clients.get(name)!
  }
}

/** Who else has all of it. */
async function followersOf(client: Client, { topicId, partition }: Place): Promise<{ readonly id: number; readonly address: string }[]> {
  for (;;) {
    const { answer } = await client.attempt(async () => (await client.anyone()).call(metadataApi, {
      topics: [{ topicId, name: null }], allowAutoTopicCreation: false, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
    }))
    const found = answer?.topics[0]?.partitions.find(({ partitionIndex }) => partitionIndex === partition)
    if (found !== undefined && found.errorCode === ErrorCode.NONE) {
      const addresses = new Map(answer!.brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]))
      return found.isrNodes.filter((id) => id !== found.leaderId && addresses.has(id)).map((id) => ({ id, address: addresses.get(id)! }))
    }
    client.hangUp()
    await client.think(200)
  }
}

/** The whole of a partition. Starts over where retention overtakes it. */
async function readLog(client: Client, place: Named): Promise<FinalLog> {
  const end = async (which: 'earliest' | 'latest'): Promise<number> => {
    for (;;) {
      const { answer } = await client.attempt(() => askForEnd(client, { ...place, which }))
      if (answer?.error === ErrorCode.NONE) return answer.offset
      client.hangUp()
      await client.think(200)
    }
  }
  for (;;) {
    const latest = await end('latest')
    const earliest = await end('earliest')
    const readAt = client.now
    const read = await readBetween(client, place, { earliest, latest })
    const { topicId, partition } = place
    if (read !== undefined) return { topicId, partition, readAt, earliest, latest, ...read }
  }
}

/** Undefined: the beginning was deleted meanwhile. */
async function readBetween(
  client: Client, place: Place, { earliest, latest }: { readonly earliest: number; readonly latest: number }, follower?: string,
): Promise<{ records: Sighting[]; batches: LoggedBatch[] } | undefined> {
  const [records, batches]: [Sighting[], LoggedBatch[]] = [[], []]
  for (let offset = earliest; offset < latest;) {
    const { answer } = await client.attempt(() => fetchOnce(client, place, { offset, bytesMax: 65_536, waitMs: 500, ...(follower === undefined ? {} : { follower }) }))
    if (answer?.error === ErrorCode.OFFSET_OUT_OF_RANGE && answer.logStartOffset > offset) return undefined
    // A replica that was moved away since has nothing to compare.
    if (follower !== undefined && answer?.error === ErrorCode.NOT_LEADER_OR_FOLLOWER) return undefined
    if (answer?.error !== ErrorCode.NONE) {
      if (answer === undefined) client.hangUp()
      else client.forget()
      await client.think(200)
      continue
    }
    records.push(...answer.records)
    batches.push(...answer.batches.filter(({ baseOffset }) => baseOffset >= offset).map(logged))
    if (answer.next === offset) await client.think(200)
    offset = answer.next
  }
  return { records, batches }
}
