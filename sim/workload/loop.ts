// Consume, transform, produce, in transactions: reads a partition from where the group stands, writes what it makes of that to
// others, and commits both at once. It aborts now and then, stands still, and leaves what it began. Several may have the
// same transactional id and the same group: then each that begins fences the one before, which does not know it.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { offsetFetchApi } from '../../broker/protocol/messages/offset-fetch.ts'
import { Actor } from './actor.ts'
import { someKey } from './batches.ts'
import type { Client } from './client.ts'
import { fetchOnce } from './consumer.ts'
import { type Topical, Transactor, type Written } from './transactor.ts'
import type { Verdict } from './verdict.ts'

export interface LoopOptions {
  readonly transactionalId: string
  readonly group: string
  readonly isOld: boolean
  readonly timeoutMs: number
  readonly source: Topical
  readonly outputs: readonly Topical[]
  /** A compacted one, which gets records with keys. */
  readonly table: Topical | undefined
  readonly fillerBytesMax: number
  readonly thinkMs: number
}

const keys = 12

export class Loop extends Actor {
  readonly #options: LoopOptions
  readonly #transactor: Transactor
  /** Where the group stands; undefined: it has to ask. */
  #position: number | undefined

  constructor(client: Client, options: LoopOptions) {
    super(client)
    this.#options = options
    const { transactionalId, isOld, timeoutMs } = options
    this.#transactor = new Transactor(client, { name: client.name, history: client.history, transactionalId, isOld, timeoutMs })
  }

  protected async run(): Promise<void> {
    const { dice } = this.client
    while (!this.isStopping) {
      if (dice.chance(0.03)) this.#startAgain()
      if (await this.#isReady()) await this.#transact()
      else this.client.hangUp()
      await this.client.think(this.#options.thinkMs)
    }
    // Somebody else has to end what is left.
    if (this.#transactor.hasSession && dice.chance(0.5)) {
      this.#transactor.begin()
      await this.#transactor.send(this.#written(dice.pick(this.#options.outputs)))
      this.#transactor.giveUp()
    }
  }

  async #isReady(): Promise<boolean> {
    if (!this.#transactor.hasSession) {
      this.#position = undefined
      if ((await this.#transactor.init()) !== 'done') return false
    }
    this.#position ??= await committedOffset(this.client, this.#options)
    return this.#position !== undefined
  }

  async #transact(): Promise<void> {
    const { dice } = this.client
    const { source, group } = this.#options
    const { answer } = await this.client.attempt(() => fetchOnce(this.client, source, { offset: this.#position!, bytesMax: 4_096, waitMs: 200 }))
    if (answer?.error !== ErrorCode.NONE) return this.client.hangUp()
    if (answer.records.length === 0) return
    const last = answer.records[dice.between(0, Math.min(answer.records.length, 5) - 1)]!
    this.#transactor.begin()
    let verdict = await this.#sendAll()
    if (dice.chance(0.06)) await this.client.sleep(dice.between(1_000, 12_000))
    const consumed = { ...source, group, from: this.#position!, to: last.offset + 1 }
    const consumes = dice.chance(0.8)
    if (verdict === 'done' && consumes) verdict = await this.#transactor.consume(consumed)
    await this.#end(verdict, consumes ? consumed.to : consumed.from)
  }

  async #end(verdict: Verdict, position: number): Promise<void> {
    const { dice } = this.client
    const choice = dice.fraction()
    if (verdict === 'over' || choice < 0.08) {
      this.#transactor.giveUp()
      this.#position = undefined
      // Whoever took over is let alone for a while.
      if (verdict === 'over') await this.client.sleep(dice.between(500, 3_000))
      return
    }
    const asked = verdict === 'done' && choice < 0.75 ? 'commit' : 'abort'
    const outcome = await this.#transactor.end(asked)
    if (outcome !== 'ok') this.#position = undefined
    else {
      this.done++
      if (asked === 'commit') this.#position = position
    }
    // Of a batch that may have been written or not, an epoch that goes on would not know the next sequence.
    if (verdict !== 'done' && this.#options.isOld && this.#transactor.hasSession) await this.#transactor.init()
  }

  /** To one partition after another, or to all at once. */
  async #sendAll(): Promise<Verdict> {
    const { dice } = this.client
    const { outputs, table } = this.#options
    const places = outputs.filter(() => dice.chance(0.6))
    if (places.length === 0) places.push(dice.pick(outputs))
    const writes = places.map((place) => this.#written(place))
    if (table !== undefined && dice.chance(0.5)) writes.push(this.#written(table, dice.between(1, 3)))
    if (dice.chance(0.5)) return worst(await Promise.all(writes.map((written) => this.#transactor.send(written))))
    for (const written of writes) {
      const verdict = await this.#transactor.send(written)
      if (verdict !== 'done') return verdict
    }
    return 'done'
  }

  #written(place: Topical, keyed = 0): Written {
    const { dice } = this.client
    const fillerBytes = dice.below(this.#options.fillerBytesMax)
    if (keyed === 0) return { place, count: dice.between(1, 3), fillerBytes }
    return { place, count: keyed, fillerBytes, keys: Array.from({ length: keyed }, () => someKey(dice, keys)) }
  }

  /** As another process that has the same name: it does not know what the one before was at. */
  #startAgain(): void {
    this.#transactor.forgetSession()
    this.#position = undefined
  }
}

function worst(verdicts: readonly Verdict[]): Verdict {
  return (['over', 'abort', 'again'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'done'
}

/** Where a group goes on, once no transaction is open that may say something else (KIP-447). Undefined: nobody said. */
export async function committedOffset(
  client: Client, { group, source: { topicId, partition } }: Pick<LoopOptions, 'group' | 'source'>,
): Promise<number | undefined> {
  const { invokedAt, endedAt, answer } = await client.attempt(async () => (await client.groupCoordinator(group)).call(offsetFetchApi, {
    groupId: '', topics: [], groups: [{ groupId: group, topics: [{ name: '', topicId, partitionIndexes: [partition] }] }], requireStable: true,
  }))
  const [of] = answer?.groups ?? []
  const found = of?.topics[0]?.partitions[0]
  if (of?.errorCode !== ErrorCode.NONE || found?.errorCode !== ErrorCode.NONE) return undefined
  const offset = found.committedOffset
  client.history.offsets.push({ group, topicId, partition, kind: 'fetch', offset, outcome: 'ok', isTransactional: true, invokedAt, endedAt })
  return Math.max(offset, 0)
}
