import { consumerGroupDescribe } from '../../broker/api/consumer-group-describe.ts'
import { consumerGroupHeartbeat } from '../../broker/api/consumer-group-heartbeat.ts'
import { offsetCommit } from '../../broker/api/offset-commit.ts'
import { errorName } from '../../broker/protocol/error-code.ts'
import { zeroUuid } from '../../broker/runtime/random.ts'
import { callOf } from './classic-script.ts'
import { turn } from '../support/manual-clock.ts'
import { makeWorld, type World, type WorldOptions } from './world.ts'

type Owned = Map<string, readonly number[]>

interface Client {
  memberId: string
  epoch: number
  instanceId: string | null
  /** What it consumes, by topic name. */
  owned: Owned
  /** What it may consume, as it was told last. */
  told: Owned
}

/**
 * Runs a script of `> command` lines against one consumer group and returns it with what came of each command.
 * Clients are single capitals, and their member ids as well unless `as` says otherwise.
 *
 *   > join A [topics=orders,payments] [regex=o.*] [instance=i] [assignor=range] [as=id]
 *   > beat A                 reports what it was told to own, as a client that has acknowledged
 *   > beat A holding         has not given anything up yet        > beat A briefly      says nothing about partitions
 *   > beat A epoch=n         > leave A     > away A     > wait 1000     > topic orders=8     > untopic orders
 *   > commit A orders/0=5 [epoch=n]        > describe               > restart
 */
export class ConsumerScript {
  readonly #options: WorldOptions
  readonly #clients = new Map<string, Client>()
  readonly #trace: string[] = []
  world: World

  constructor(options: WorldOptions = {}) {
    this.#options = options
    this.world = makeWorld(options)
  }

  async run(script: string): Promise<string> {
    for (const line of script.trim().split('\n').map((text) => text.trim())) {
      if (!line.startsWith('>')) continue
      this.#trace.push(line)
      const [verb, ...words] = line.slice(1).trim().split(/\s+/)
      await this.#step(verb!, words)
      await turn()
    }
    return this.#trace.join('\n')
  }

  async #step(verb: string, words: readonly string[]): Promise<void> {
    const options = new Map(words.filter((word) => word.includes('=')).map((word) => word.split(/=(.*)/) as [string, string]))
    const name = words[0] ?? ''
    switch (verb) {
      case 'join': return this.#join(name, options)
      case 'beat': return this.#beat(name, new Set(words), options)
      case 'leave': return this.#send(name, { memberEpoch: -1 })
      case 'away': return this.#send(name, { memberEpoch: -2 })
      case 'wait': return this.world.clock.advance(Number(name))
      case 'topic': for (const [topic, count] of options) this.world.topics.put(topic, Number(count)); return
      case 'untopic': return this.world.topics.remove(name)
      case 'commit': return this.#commit(name, options)
      case 'describe': return this.#describe()
      case 'restart': {
        this.world.groups.close()
        await turn()
        const { clock, topics, table, random } = this.world
        this.world = makeWorld({ ...this.#options, clock, topics, table, random })
        this.world.groups.start()
        return clock.advance(0)
      }
      default: throw new Error(`no such verb: ${verb}`)
    }
  }

  #say(text: string): void {
    this.#trace.push(`  ${text}`)
  }

  #client(name: string): Client {
    let client = this.#clients.get(name)
    if (client === undefined) this.#clients.set(name, (client = { memberId: name, epoch: 0, instanceId: null, owned: new Map(), told: new Map() }))
    return client
  }

  async #join(name: string, options: ReadonlyMap<string, string>): Promise<void> {
    const client = this.#client(name)
    client.memberId = options.get('as') ?? name
    client.instanceId = options.get('instance') ?? null
    client.owned = new Map()
    client.told = new Map()
    const names = options.get('topics') ?? (options.has('regex') ? undefined : 'orders')
    await this.#send(name, {
      memberEpoch: 0, rebalanceTimeoutMs: 30_000, topicPartitions: [],
      subscribedTopicNames: names === undefined ? null : names.split(',').filter((text) => text !== ''),
      subscribedTopicRegex: options.get('regex') ?? null,
      serverAssignor: options.get('assignor') ?? null,
    })
  }

  async #beat(name: string, words: ReadonlySet<string>, options: ReadonlyMap<string, string>): Promise<void> {
    const client = this.#client(name)
    const { epoch } = client
    if (!words.has('holding') && !words.has('briefly')) client.owned = client.told
    const { owned } = client
    await this.#send(name, {
      memberEpoch: Number(options.get('epoch') ?? epoch),
      subscribedTopicNames: options.get('topics')?.split(',') ?? null,
      topicPartitions: words.has('briefly') ? null : [...owned].map(([topic, partitions]) => ({ topicId: this.#idOf(topic), partitions })),
    })
  }

  #idOf(topic: string): string {
    return this.world.topics.byName(topic)?.id ?? `id-of-${topic}`
  }

  async #send(name: string, given: object): Promise<void> {
    const client = this.#client(name)
    const response = await consumerGroupHeartbeat(this.world.groups).handle({
      groupId: 'g', memberId: client.memberId, memberEpoch: 0, instanceId: client.instanceId, rackId: null, rebalanceTimeoutMs: -1,
      subscribedTopicNames: null, subscribedTopicRegex: null, serverAssignor: null, topicPartitions: null, ...given,
    }, callOf(1))
    const { errorCode, memberEpoch, assignment } = response!
    if (errorCode !== 0) return this.#say(`${name}: ${errorName(errorCode)}`)
    client.epoch = memberEpoch
    if (assignment == null) return this.#say(`${name}: epoch ${memberEpoch}`)
    const told: Owned = new Map(assignment.topicPartitions.map(({ topicId, partitions }) => [this.#nameOf(topicId!), partitions]))
    client.told = told
    this.#say(`${name}: epoch ${memberEpoch}, may have ${textOf(told)}`)
  }

  #nameOf(topicId: string): string {
    return this.world.topics.byId(topicId)?.name ?? topicId.replace('id-of-', '')
  }

  async #commit(name: string, options: ReadonlyMap<string, string>): Promise<void> {
    const { memberId, epoch } = this.#client(name)
    const [where, offset] = [...options].find(([key]) => key.includes('/'))!
    const [topic, partition] = where.split('/')
    const partitions = [{ partitionIndex: Number(partition), committedOffset: Number(offset), committedLeaderEpoch: -1, committedMetadata: null }]
    const response = await offsetCommit(this.world.groups).handle({
      groupId: 'g', generationIdOrMemberEpoch: Number(options.get('epoch') ?? epoch), memberId, groupInstanceId: null, retentionTimeMs: -1,
      topics: [{ name: topic!, topicId: zeroUuid, partitions }],
    }, callOf(Number(options.get('v') ?? 9)))
    this.#say(`${name} commit: ${errorName(response!.topics[0]!.partitions[0]!.errorCode)}`)
  }

  async #describe(): Promise<void> {
    const response = await consumerGroupDescribe(this.world.groups).handle({ groupIds: ['g'], includeAuthorizedOperations: false }, callOf(1))
    const { errorCode, groupState, groupEpoch, assignmentEpoch, assignorName, members } = response!.groups[0]!
    if (errorCode !== 0) return this.#say(`describe: ${errorName(errorCode)}`)
    this.#say(`describe: ${groupState}, epoch ${groupEpoch}, assigned at ${assignmentEpoch} by ${assignorName}`)
    for (const { memberId, memberEpoch, assignment, targetAssignment } of members) {
      const [has, target] = [assignment, targetAssignment].map(({ topicPartitions }) =>
        textOf(new Map(topicPartitions.map(({ topicName, partitions }) => [topicName, partitions]))))
      this.#say(`  ${memberId} at ${memberEpoch} has ${has}${has === target ? '' : `, is to have ${target}`}`)
    }
  }
}

function textOf(owned: Owned): string {
  return [...owned].map(([topic, partitions]) => `${topic} ${partitions.join(' ')}`).sort().join(', ') || 'nothing'
}
