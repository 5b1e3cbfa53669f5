import { joinGroup } from '../../broker/api/join-group.ts'
import { heartbeat } from '../../broker/api/heartbeat.ts'
import { leaveGroup } from '../../broker/api/leave-group.ts'
import { offsetCommit } from '../../broker/api/offset-commit.ts'
import { offsetFetch } from '../../broker/api/offset-fetch.ts'
import { syncGroup } from '../../broker/api/sync-group.ts'
import { describeGroups } from '../../broker/api/describe-groups.ts'
import { listGroups } from '../../broker/api/list-groups.ts'
import { deleteGroups } from '../../broker/api/delete-groups.ts'
import { encode } from '../../broker/protocol/codec.ts'
import type { Call } from '../../broker/api/handler.ts'
import { errorName } from '../../broker/protocol/error-code.ts'
import { consumerProtocolSubscription } from '../../broker/protocol/messages/consumer-protocol-subscription.ts'
import { zeroUuid } from '../../broker/runtime/random.ts'
import { turn } from '../support/manual-clock.ts'
import { makeWorld, type WorldOptions, type World } from './world.ts'

export function callOf(version: number, clientId = 'test'): Call {
  return { version, clientId, clientHost: '/127.0.0.1', arrivedAt: 0, signal: new AbortController().signal, onSent() {} }
}

/** A subscription of a consumer, as clients send it. */
export function subscriptionTo(topics: readonly string[]): Buffer {
  const version = Buffer.alloc(2)
  return Buffer.concat([version, encode(consumerProtocolSubscription, 0, { topics, userData: null, ownedPartitions: [] })])
}

interface Client {
  memberId: string
  generation: number
}

/**
 * Runs a script of `> command` lines against one group and returns it with what came of each command below it, so a test
 * compares the whole with what it expects. Clients are single capitals; whatever they were told last they send next.
 *
 *   > join A [protocols=p,q] [instance=i] [v=9] [session=10000] [rebalance=60000] [topics=orders] [as=id]
 *   > sync A [A=x B=y]        > beat A [generation=n]      > leave A,B         > wait 3000
 *   > commit A orders/0=5     > fetch orders/0             > describe          > list      > delete      > restart
 */
export class ClassicScript {
  readonly #options: WorldOptions
  readonly #clients = new Map<string, Client>()
  readonly #trace: string[] = []
  /** What the command led to so far. Put into words when it is over, for only then are all ids known. */
  #answers: (() => string)[] = []
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
      this.#trace.push(...this.#answers.splice(0).map((answer) => `  ${answer()}`))
    }
    return this.#trace.join('\n')
  }

  async #step(verb: string, words: readonly string[]): Promise<void> {
    const options = new Map(words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string]))
    const name = words[0] ?? ''
    switch (verb) {
      case 'join': return this.#join(name, options)
      case 'sync': return this.#sync(name, options)
      case 'beat': return this.#beat(name, options)
      case 'leave': return this.#leave(name.split(','), options)
      case 'wait': return this.world.clock.advance(Number(name))
      case 'commit': return this.#commit(name, options)
      case 'fetch': return this.#fetch(name)
      case 'describe': return this.#describe()
      case 'list': return this.#list()
      case 'delete': return this.#delete()
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

  #say(answer: string | (() => string)): void {
    this.#answers.push(typeof answer === 'string' ? () => answer : answer)
  }

  #client(name: string): Client {
    let client = this.#clients.get(name)
    if (client === undefined) this.#clients.set(name, (client = { memberId: '', generation: -1 }))
    return client
  }

  /** Ids by the client that has them, for people to read. */
  #nameOf(memberId: string): string {
    for (const [name, client] of this.#clients) if (client.memberId === memberId && memberId !== '') return name
    return memberId === '' ? 'nobody' : 'a stranger'
  }

  #join(name: string, options: ReadonlyMap<string, string>): Promise<void> {
    const client = this.#client(name)
    const version = Number(options.get('v') ?? 9)
    const metadata = subscriptionTo((options.get('topics') ?? 'orders').split(','))
    const answered = joinGroup(this.world.groups).handle({
      groupId: 'g',
      sessionTimeoutMs: Number(options.get('session') ?? 10_000),
      rebalanceTimeoutMs: Number(options.get('rebalance') ?? 60_000),
      memberId: options.get('as') ?? client.memberId,
      groupInstanceId: options.get('instance') ?? null,
      protocolType: options.get('type') ?? 'consumer',
      protocols: (options.get('protocols') ?? 'range').split(',').map((protocol) => ({ name: protocol, metadata })),
      reason: null,
    }, callOf(version))
    void Promise.resolve(answered).then((response) => {
      const { errorCode, memberId, generationId, leader, members, protocolName, skipAssignment } = response!
      if (errorCode !== 0) {
        if (memberId !== '' && errorCode === 79) client.memberId = memberId
        return this.#say(`${name} join: ${errorName(errorCode)}`)
      }
      client.memberId = memberId
      client.generation = generationId!
      this.#say(() => {
        const leads = members.length > 0 ? `, leads ${members.map((member) => this.#nameOf(member.memberId)).sort().join(' ')}` : ''
        const skips = skipAssignment ? ', skips assignment' : ''
        return `${name} join: generation ${generationId}, ${protocolName}, leader ${this.#nameOf(leader)}${leads}${skips}`
      })
    })
    return Promise.resolve()
  }

  #sync(name: string, options: ReadonlyMap<string, string>): Promise<void> {
    const client = this.#client(name)
    const assignments = [...options].filter(([who]) => this.#clients.has(who))
      .map(([who, text]) => ({ memberId: this.#client(who).memberId, assignment: Buffer.from(text) }))
    const answered = syncGroup(this.world.groups).handle({
      groupId: 'g', generationId: Number(options.get('generation') ?? client.generation), memberId: client.memberId,
      groupInstanceId: options.get('instance') ?? null, protocolType: options.get('type') ?? 'consumer',
      protocolName: options.get('protocol') ?? 'range', assignments,
    }, callOf(Number(options.get('v') ?? 5)))
    void Promise.resolve(answered).then((response) => {
      const { errorCode, assignment } = response!
      this.#say(`${name} sync: ${errorCode === 0 ? `assigned "${assignment.toString()}"` : errorName(errorCode)}`)
    })
    return Promise.resolve()
  }

  async #beat(name: string, options: ReadonlyMap<string, string>): Promise<void> {
    const client = this.#client(name)
    const generationId = Number(options.get('generation') ?? client.generation)
    const groupInstanceId = options.get('instance') ?? null
    const response = await heartbeat(this.world.groups).handle({ groupId: 'g', generationId, memberId: client.memberId, groupInstanceId }, callOf(4))
    this.#say(`${name} beat: ${errorName(response!.errorCode)}`)
  }

  async #leave(names: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
    const groupInstanceId = options.get('instance') ?? null
    const members = names.map((name) => ({ memberId: this.#clients.get(name)?.memberId ?? '', groupInstanceId, reason: null }))
    const response = await leaveGroup(this.world.groups).handle({ groupId: 'g', memberId: '', members }, callOf(5))
    this.#say(`leave: ${response!.members!.map(({ errorCode }) => errorName(errorCode)).join(' ')}`)
  }

  async #commit(name: string, options: ReadonlyMap<string, string>): Promise<void> {
    const client = name === '-' ? { memberId: '', generation: -1 } : this.#client(name)
    const topics = [...options].filter(([key]) => key.includes('/')).map(([key, offset]) => {
      const [topic, partition] = key.split('/')
      const committed = { partitionIndex: Number(partition), committedOffset: Number(offset), committedLeaderEpoch: 7, committedMetadata: 'm' }
      return { name: topic!, topicId: zeroUuid, partitions: [committed] }
    })
    const response = await offsetCommit(this.world.groups).handle({
      groupId: 'g', generationIdOrMemberEpoch: Number(options.get('generation') ?? client.generation), memberId: client.memberId,
      groupInstanceId: options.get('instance') ?? null, retentionTimeMs: -1, topics,
    }, callOf(9))
    this.#say(`${name} commit: ${response!.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorName(errorCode))).join(' ')}`)
  }

  async #fetch(what: string): Promise<void> {
    const [topic, partition] = what.split('/')
    const topics = what === 'all' ? null : [{ name: topic!, topicId: zeroUuid, partitionIndexes: [Number(partition)] }]
    const group = { groupId: 'g', memberId: null, memberEpoch: -1, topics }
    const response = await offsetFetch(this.world.groups).handle({ groupId: '', topics: null, groups: [group], requireStable: true }, callOf(9))
    const answer = response!.groups![0]!
    if (answer.errorCode !== 0) return this.#say(`fetch: ${errorName(answer.errorCode!)}`)
    const offsets = answer.topics.flatMap(({ name, partitions }) => partitions.map((one) =>
      `${name}/${one.partitionIndex}=${one.committedOffset}${one.committedOffset < 0 ? '' : ` epoch ${one.committedLeaderEpoch} "${one.metadata}"`}`))
    this.#say(`fetch: ${offsets.join(', ') || 'nothing'}`)
  }

  async #describe(): Promise<void> {
    const response = await describeGroups(this.world.groups).handle({ groups: ['g'], includeAuthorizedOperations: false }, callOf(5))
    const { groupState, protocolData, members } = response!.groups[0]!
    const who = members.map(({ memberId, memberAssignment }) => `${this.#nameOf(memberId)}:"${memberAssignment.toString()}"`).sort()
    this.#say(`describe: ${[groupState, protocolData, ...who].filter((text) => text !== '').join(' ')}`)
  }

  async #list(): Promise<void> {
    const response = await listGroups(this.world.groups).handle({ statesFilter: [], typesFilter: [] }, callOf(5))
    const groups = response!.groups.map(({ groupId, groupState, groupType, protocolType }) => `${groupId} ${groupType} ${protocolType || '-'} ${groupState}`)
    this.#say(`list: ${groups.join(', ') || 'nothing'}`)
  }

  async #delete(): Promise<void> {
    const response = await deleteGroups(this.world.groups).handle({ groupsNames: ['g'] }, callOf(2))
    this.#say(`delete: ${errorName(response!.results[0]!.errorCode)}`)
  }
}
