// The table that all simulated brokers share, with the faults of one far away: a call is refused, is carried out and its
// answer lost, or is carried out long after its caller was told that nobody knows.

import type { CommitResult, Table, Write } from '../broker/table/table.ts'
import { TableError } from '../broker/table/table.ts'
import { MemoryTable } from '../test/support/memory-table.ts'
import type { SeededRandom } from '../test/support/seeded-random.ts'
import type { SimProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'

export interface StoreWeather {
  delayMs: number
  jitterMs: number
  /** Probabilities per call: refused before anything, carried out without an answer, carried out late. */
  refused: number
  lostAnswers: number
  late: number
  isAway: boolean
}

/** throttled: refused. deaf: what is written is written, and neither that nor anything else is heard of. */
export type Trouble = 'throttled' | 'deaf'

export const fairWeather = (delayMs: number): StoreWeather =>
  ({ delayMs, jitterMs: delayMs, refused: 0, lostAnswers: 0, late: 0, isAway: false })

/** After so long the caller's client library gives up. */
const timeoutMs = 3_000
/** A late call lands at most so long after it was given up. */
const lateMsMax = 15_000

export class SimTable {
  readonly memory = new MemoryTable()
  readonly weather: StoreWeather = fairWeather(2)
  /** Commits that landed after their caller had given them up, and what came of them. */
  readonly late = { landed: 0, conflicted: 0 }
  readonly #scheduler: Scheduler
  readonly #dice: SeededRandom
  /** Processes that do not reach the table. */
  readonly #cut = new Set<string>()
  /** What a host meets in one partition of the table, while all others are fine. */
  readonly #trouble = new Map<string, Trouble>()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
    this.#dice = scheduler.dice('table')
  }

  cut(host: string): void {
    this.#cut.add(host)
  }

  heal(host: string): void {
    this.#cut.delete(host)
  }

  /** Returns what ends it. */
  trouble(host: string, partition: string, trouble: Trouble): () => void {
    this.#trouble.set(`${host}/${partition}`, trouble)
    return () => void this.#trouble.delete(`${host}/${partition}`)
  }

  of(process: SimProcess, host: string): Table {
    return {
      get: (key) => this.#read(process, `${host}/${key.partition}`, () => this.memory.get(key)),
      query: (partition, range) => this.#read(process, `${host}/${partition}`, () => this.memory.query(partition, range)),
      commit: (writes) => this.#commit(process, host, writes),
      close: async () => {},
    }
  }

  async #read<T>(process: SimProcess, place: string, run: () => Promise<T>): Promise<T> {
    await this.#reach(process, place.slice(0, place.indexOf('/')))
    if (this.#trouble.has(place)) await this.#refuse(process)
    const delayMs = this.#delayMs()
    return process.call('table read', { beforeMs: delayMs, afterMs: delayMs }, run)
  }

  async #commit(process: SimProcess, host: string, writes: readonly Write[]): Promise<CommitResult> {
    // What its caller changes after the call is nobody's.
    const given = structuredClone(writes)
    await this.#reach(process, host)
    const troubles = new Set(given.map(({ key }) => this.#trouble.get(`${host}/${key.partition}`)))
    if (troubles.has('throttled')) await this.#refuse(process)
    const [delayMs, fate] = [this.#delayMs(), this.#dice.fraction()]
    const late = this.weather.late
    const lostAnswers = troubles.has('deaf') ? 1 : this.weather.lostAnswers
    if (fate < lostAnswers) {
      await process.call('table commit without an answer', { beforeMs: delayMs, afterMs: timeoutMs }, () => this.memory.commit(given))
      throw new TableError('unknown', 'the answer was lost')
    }
    if (fate < lostAnswers + late) {
      const landsMs = timeoutMs + this.#dice.fraction() * lateMsMax
      this.#scheduler.after(landsMs, `late commit of ${process.name}`, async () => {
        const { committed } = await this.memory.commit(given)
        if (committed) this.late.landed++
        else this.late.conflicted++
        this.#scheduler.note(`late commit of ${process.name}: ${committed ? 'landed' : 'had a conflict'}`)
      })
      await process.wait(timeoutMs, 'gives up a commit')
      throw new TableError('unknown', 'the answer did not come in time')
    }
    return process.call('table commit', { beforeMs: delayMs, afterMs: delayMs }, () => this.memory.commit(given))
  }

  async #reach(process: SimProcess, host: string): Promise<void> {
    if (this.weather.isAway || this.#cut.has(host)) {
      await process.wait(timeoutMs, 'does not reach the table')
      throw new TableError('away', 'the table was not reached')
    }
    if (this.#dice.chance(this.weather.refused)) await this.#refuse(process)
  }

  async #refuse(process: SimProcess): Promise<never> {
    await process.wait(this.#delayMs(), 'is refused by the table')
    throw new TableError('away', 'throttled')
  }

  #delayMs(): number {
    return this.weather.delayMs + this.#dice.fraction() * this.weather.jitterMs
  }
}
