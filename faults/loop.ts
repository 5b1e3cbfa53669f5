// Consumes, transforms and produces in transactions, over real connections.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { offsetFetchApi } from '../broker/protocol/messages/offset-fetch.ts'
import type { History } from '../sim/check/history.ts'
import { Transactor } from '../sim/workload/transactor.ts'
import type { RealReach } from './reach.ts'
import { fetchFrom, type TopicPlace } from './reads.ts'

export interface LoopOptions {
  readonly name: string
  readonly transactionalId: string
  readonly group: string
  readonly isOld: boolean
  readonly timeoutMs: number
  readonly history: History
  readonly source: TopicPlace
  readonly outputs: readonly TopicPlace[]
}

const pauseMs = 40
/** Every so many transactions are aborted, or left to the coordinator, or begun by somebody who does not know what was. */
const abortedEvery = 5
const leftEvery = 23
const takenOverEvery = 37

export class Loop {
  readonly #reach: RealReach
  readonly #options: LoopOptions
  readonly #transactor: Transactor
  #position: number | undefined
  #rounds = 0
  #isStopping = false
  #over: Promise<void> = Promise.resolve()

  constructor(reach: RealReach, options: LoopOptions) {
    this.#reach = reach
    this.#options = options
    this.#transactor = new Transactor(reach, options)
  }

  start(): void {
    this.#over = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#over
    this.#reach.close()
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      this.#rounds++
      if (this.#rounds % takenOverEvery === 0) this.#transactor.forgetSession()
      if (await this.#isReady()) await this.#transact()
      else this.#reach.lookAgain()
      await sleep(pauseMs)
    }
  }

  async #isReady(): Promise<boolean> {
    if (!this.#transactor.hasSession) {
      this.#position = undefined
      if ((await this.#transactor.init()) !== 'done') return false
    }
    this.#position ??= await look(this.#reach, this.#options)
    return this.#position !== undefined
  }

  async #transact(): Promise<void> {
    const { source, group, outputs, isOld } = this.#options
    const from = this.#position!
    const found = await this.#reach.tried(async () => fetchFrom(await this.#reach.leaderOf(source), source, { offset: from, bytesMax: 8_192, waitMs: 200 }))
    if (found?.error !== ErrorCode.NONE) return this.#reach.lookAgain()
    const last = found.records[Math.min(found.records.length, 50) - 1]
    if (last === undefined) return
    const to = last.offset + 1
    this.#transactor.begin()
    let verdict = (await Promise.all(outputs.map((place) => this.#transactor.send({ place, count: 2, fillerBytes: 60 })))).find((one) => one !== 'done') ?? 'done'
    if (verdict === 'done') verdict = await this.#transactor.consume({ ...source, group, from, to })
    if (verdict === 'over' || this.#rounds % leftEvery === 0) {
      this.#transactor.giveUp()
      // Whoever took over is let alone for a while.
      return sleep(300)
    }
    const asked = verdict === 'done' && this.#rounds % abortedEvery !== 0 ? 'commit' : 'abort'
    const outcome = await this.#transactor.end(asked)
    if (outcome === 'ok' && asked === 'commit') this.#position = to
    if (verdict !== 'done' && isOld && this.#transactor.hasSession) await this.#transactor.init()
  }
}

/** Where a group goes on; undefined: nobody said. */
export async function look(
  reach: RealReach, { group, source: { topicId, partition }, history }: Pick<LoopOptions, 'group' | 'source' | 'history'>,
): Promise<number | undefined> {
  const invokedAt = performance.now()
  const answer = await reach.tried(async () => (await reach.groupCoordinator(group)).call(offsetFetchApi, {
    groupId: '', topics: [], groups: [{ groupId: group, topics: [{ name: '', topicId, partitionIndexes: [partition] }] }], requireStable: true,
  }))
  const [of] = answer?.groups ?? []
  const found = of?.topics[0]?.partitions[0]
  if (of?.errorCode !== ErrorCode.NONE || found?.errorCode !== ErrorCode.NONE) return undefined
  const offset = found.committedOffset
  history.offsets.push({ group, topicId, partition, kind: 'fetch', offset, outcome: 'ok', isTransactional: true, invokedAt, endedAt: performance.now() })
  return Math.max(offset, 0)
}
