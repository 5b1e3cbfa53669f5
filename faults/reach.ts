// The way of a transactional client to whoever is in charge, over real connections: it believes what the first broker says
// that answers, and asks anew whenever something did not go well.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { findCoordinatorApi } from '../broker/protocol/messages/find-coordinator.ts'
import type { Place } from '../sim/check/history.ts'
import { keyOf } from '../sim/check/log-index.ts'
import type { Caller, Reach } from '../sim/workload/reach.ts'
import { ConnectionLost, WireClient } from '../test/support/wire-client.ts'
import { askForPartitions } from './metadata.ts'

const answerMsMax = 4_000

export class RealReach implements Reach {
  readonly #name: string
  readonly #bootstrap: readonly string[]
  readonly #wires = new Map<string, WireClient>()
  readonly #addresses = new Map<string, string>()
  #next: number

  constructor(name: string, bootstrap: readonly string[], first = 0) {
    this.#name = name
    this.#bootstrap = bootstrap
    this.#next = first
  }

  get now(): number {
    return performance.now()
  }

  get wallClock(): number {
    return Date.now()
  }

  think(delayMs: number): Promise<void> {
    return sleep(delayMs)
  }

  async tried<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run()
    } catch (cause) {
      if (!(cause instanceof ConnectionLost)) throw cause
      return undefined
    }
  }

  lookAgain(): void {
    this.close()
    this.#next++
  }

  close(): void {
    this.#addresses.clear()
    for (const wire of this.#wires.values()) wire.close()
    this.#wires.clear()
  }

  /** Rejects, like all that follow, with `ConnectionLost`. */
  leaderOf(place: Place): Promise<Caller> {
    return this.#found(keyOf(place), async (wire) => {
      const states = await askForPartitions(wire, place.topicId, answerMsMax)
      return states.find(({ partition }) => partition === place.partition)?.address
    })
  }

  groupCoordinator(group: string): Promise<Caller> {
    return this.#found(`group ${group}`, (wire) => coordinatorOf(wire, group, 0))
  }

  transactionCoordinator(transactionalId: string): Promise<Caller> {
    return this.#found(`transaction ${transactionalId}`, (wire) => coordinatorOf(wire, transactionalId, 1))
  }

  async #found(key: string, ask: (wire: WireClient) => Promise<string | undefined>): Promise<Caller> {
    const known = this.#addresses.get(key) ?? (await ask(await this.#wire(this.#bootstrap[this.#next % this.#bootstrap.length]!)))
    if (known === undefined) throw new ConnectionLost(`nobody is in charge of ${key}`)
    this.#addresses.set(key, known)
    const wire = await this.#wire(known)
    return { call: (api, request, options) => wire.call(api, request, { timeoutMs: answerMsMax, ...options }) }
  }

  async #wire(address: string): Promise<WireClient> {
    const known = this.#wires.get(address)
    if (known !== undefined && !known.isLost) return known
    const wire = await WireClient.connect(address, this.#name)
    this.#wires.set(address, wire)
    return wire
  }
}

async function coordinatorOf(wire: WireClient, name: string, keyType: 0 | 1): Promise<string | undefined> {
  const { coordinators: [found] } = await wire.call(findCoordinatorApi, { key: '', keyType, coordinatorKeys: [name] }, { timeoutMs: answerMsMax })
  return found?.errorCode === ErrorCode.NONE ? `${found.host}:${found.port}` : undefined
}
