// What every client of the workload has: a process, connections, and the way to whoever is in charge of something.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { findCoordinatorApi } from '../../broker/protocol/messages/find-coordinator.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { sleep } from '../../broker/runtime/clock.ts'
import type { Network } from '../../broker/runtime/network.ts'
import type { SeededRandom } from '../../test/support/seeded-random.ts'
import { brokerPort } from '../broker-host.ts'
import type { History, Place, Span } from '../check/history.ts'
import type { SimNetwork } from '../network.ts'
import { SimProcess } from '../process.ts'
import type { Scheduler } from '../scheduler.ts'
import { NoAnswer, Wire } from '../wire.ts'
import type { Reach } from './reach.ts'

export interface Surroundings {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly history: History
  /** Hosts to ask first. */
  readonly bootstrap: readonly string[]
}

export class Client implements Reach {
  readonly name: string
  readonly history: History
  readonly dice: SeededRandom
  readonly #scheduler: Scheduler
  readonly #process: SimProcess
  readonly #network: Network
  readonly #surroundings: Surroundings
  readonly #bootstrap: readonly string[]
  readonly #wires = new Map<string, Wire>()
  readonly #leaders = new Map<string, { readonly address: string; readonly epoch: number }>()
  /** Whoever has heard of an epoch believes nobody who has not. */
  readonly #epochs = new Map<string, number>()
  readonly #coordinators = new Map<string, string>()

  /** `host`: where it runs, if not on a machine of its own. */
  constructor(name: string, surroundings: Surroundings, host = name) {
    const { scheduler, network, history, bootstrap } = surroundings
    this.name = name
    this.#surroundings = surroundings
    this.history = history
    this.dice = scheduler.dice(`client ${name}`)
    this.#scheduler = scheduler
    this.#process = new SimProcess(name, scheduler)
    this.#network = network.of(this.#process, host)
    this.#bootstrap = bootstrap
  }

  /** Another client on the same machine. */
  another(name: string): Client {
    return new Client(`${this.name}.${name}`, this.#surroundings, this.name)
  }

  /** Milliseconds of the world's clock: histories are written by it. */
  get now(): number {
    return this.#scheduler.now
  }

  /** Its own wall clock. */
  get wallClock(): number {
    return this.#process.clock.now()
  }

  sleep(delayMs: number): Promise<void> {
    return sleep(this.#process.clock, delayMs)
  }

  /** Anything from half to one and a half times as long. */
  think(delayMs: number): Promise<void> {
    return this.sleep(delayMs * (0.5 + this.dice.fraction()))
  }

  /** Runs one attempt, and says when it was. Undefined: there was no answer. */
  async attempt<T>(run: () => Promise<T>): Promise<Span & { readonly answer: T | undefined }> {
    const invokedAt = this.now
    try {
      const answer = await run()
      return { invokedAt, endedAt: this.now, answer }
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause
      return { invokedAt, endedAt: this.now, answer: undefined }
    }
  }

  /** All of these reject with `NoAnswer`. */
  anyone(): Promise<Wire> {
    return this.#wire(`${this.dice.pick(this.#bootstrap)}:${brokerPort}`)
  }

  async leaderOf(place: Place): Promise<Wire> {
    const key = `${place.topicId}/${place.partition}`
    if (!this.#leaders.has(key)) await this.#askForLeaders(place.topicId)
    const leader = this.#leaders.get(key)
    if (leader === undefined) throw new NoAnswer('there is no leader')
    return this.#wire(leader.address)
  }

  wireTo(address: string): Promise<Wire> {
    return this.#wire(address)
  }

  /** The epoch of the newest leader that this client has heard of; -1: it has heard of none. */
  epochOf({ topicId, partition }: Place): number {
    return this.#epochs.get(`${topicId}/${partition}`) ?? -1
  }

  groupCoordinator(group: string): Promise<Wire> {
    return this.#coordinatorOf(group, 0)
  }

  transactionCoordinator(transactionalId: string): Promise<Wire> {
    return this.#coordinatorOf(transactionalId, 1)
  }

  /** Runs one attempt. Undefined: there was no answer. */
  async tried<T>(run: () => Promise<T>): Promise<T | undefined> {
    return (await this.attempt(run)).answer
  }

  lookAgain(): void {
    this.hangUp()
  }

  /** What is known of who is in charge is asked for again. */
  forget(): void {
    this.#leaders.clear()
    this.#coordinators.clear()
  }

  /** The connections too: what is under way on them gets no answer. */
  hangUp(): void {
    this.forget()
    for (const wire of this.#wires.values()) wire.close()
    this.#wires.clear()
  }

  async #coordinatorOf(name: string, keyType: 0 | 1): Promise<Wire> {
    const key = `${keyType}/${name}`
    if (!this.#coordinators.has(key)) {
      const wire = await this.anyone()
      const { coordinators: [found] } = await wire.call(findCoordinatorApi, { key: '', keyType, coordinatorKeys: [name] })
      if (found?.errorCode !== ErrorCode.NONE) throw new NoAnswer('there is no coordinator')
      this.#coordinators.set(key, `${found.host}:${found.port}`)
    }
    return this.#wire(this.#coordinators.get(key)!)
  }

  async #askForLeaders(topicId: string): Promise<void> {
    const wire = await this.anyone()
    const { brokers, topics: [topic] } = await wire.call(metadataApi, {
      topics: [{ topicId, name: null }], allowAutoTopicCreation: false, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
    })
    const addresses = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]))
    for (const { partitionIndex, leaderId, leaderEpoch: epoch, errorCode } of topic?.partitions ?? []) {
      const [key, address] = [`${topicId}/${partitionIndex}`, addresses.get(leaderId)]
      if (errorCode !== ErrorCode.NONE || address === undefined || epoch < (this.#epochs.get(key) ?? -1)) continue
      this.#epochs.set(key, epoch)
      this.#leaders.set(key, { address, epoch })
    }
  }

  async #wire(address: string): Promise<Wire> {
    const known = this.#wires.get(address)
    if (known !== undefined && !known.isLost) return known
    const [host, port] = address.split(':')
    const wire = await Wire.connect(this.#process, this.#network, { host: host!, port: Number(port) })
    this.#wires.set(address, wire)
    return wire
  }
}
