// The object store that all simulated brokers share, with the faults of one far away. What was read can be damaged on
// the way; what was put can be there although the answer was lost, at once or later.

import { type ObjectBody, type ObjectStore, ObjectStoreError } from '../broker/objects/object-store.ts'
import { MemoryStore } from '../test/support/memory-store.ts'
import type { SeededRandom } from '../test/support/seeded-random.ts'
import { beginning, type SimProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'
import { fairWeather, type StoreWeather } from './table.ts'

/** After so long the caller's client library gives up. */
const timeoutMs = 10_000
const lateMsMax = 30_000

export class SimObjects {
  readonly memory: MemoryStore
  readonly weather: StoreWeather & { damaged: number } = { ...fairWeather(15), damaged: 0 }
  /** Reads that were damaged on the way. */
  damagedReads = 0
  readonly #scheduler: Scheduler
  readonly #dice: SeededRandom
  readonly #cut = new Set<string>()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
    this.#dice = scheduler.dice('objects')
    const now = () => Math.floor(beginning + scheduler.now)
    this.memory = new MemoryStore({ clock: { now, monotonic: () => scheduler.now, after: () => ({ cancel() {} }) } })
  }

  cut(host: string): void {
    this.#cut.add(host)
  }

  heal(host: string): void {
    this.#cut.delete(host)
  }

  of(process: SimProcess, host: string): ObjectStore {
    const { memory } = this
    return {
      put: (key, object, signal) => this.#put(process, host, { key, object, signal }),
      getRange: (key, range, signal) => this.#call(process, { host, signal, what: 'gets a range' }, async () => {
        const bytes = await memory.getRange(key, range)
        if (bytes !== undefined && bytes.length > 0 && this.#dice.chance(this.weather.damaged)) {
          this.damagedReads++
          bytes[this.#dice.below(bytes.length)]! ^= 1 << this.#dice.below(8)
        }
        return bytes
      }),
      head: (key, signal) => this.#call(process, { host, signal, what: 'looks for an object' }, () => memory.head(key)),
      list: (prefix, { signal, ...options } = {}) => this.#call(process, { host, signal, what: 'lists' }, () => memory.list(prefix, options)),
      delete: (keys, signal) => this.#call(process, { host, signal, what: 'deletes' }, () => memory.delete(keys)),
      close: async () => {},
    }
  }

  async #put(
    process: SimProcess, host: string, { key, object, signal }: { key: string; object: ObjectBody; signal: AbortSignal | undefined },
  ): Promise<{ readonly stored: boolean }> {
    await this.#reach(process, { host, signal })
    const chunks: Buffer[] = []
    for await (const chunk of object.chunks()) {
      chunks.push(Buffer.from(chunk))
      await process.wait(this.#delayMs() / 4, `sends a piece of ${key}`)
      checkRunning(signal)
    }
    const sent: ObjectBody = {
      length: object.length, crc32c: object.crc32c,
      async *chunks() {
        yield* chunks
      },
    }
    const fate = this.#dice.fraction()
    const { lostAnswers, late } = this.weather
    const what = `puts ${key}`
    if (fate < lostAnswers) {
      await process.call(what, { beforeMs: this.#delayMs(), afterMs: timeoutMs }, () => this.memory.put(key, sent))
      throw new ObjectStoreError('away', 'the answer was lost')
    }
    if (fate < lostAnswers + late) {
      this.#scheduler.after(timeoutMs + this.#dice.fraction() * lateMsMax, `late put of ${key}`, () => void this.memory.put(key, sent))
      await process.wait(timeoutMs, 'gives up a put')
      throw new ObjectStoreError('away', 'the answer did not come in time')
    }
    return process.call(what, { beforeMs: this.#delayMs(), afterMs: 1 }, () => this.memory.put(key, sent))
  }

  async #call<T>(
    process: SimProcess, of: { readonly host: string; readonly signal: AbortSignal | undefined; readonly what: string }, run: () => Promise<T>,
  ): Promise<T> {
    await this.#reach(process, of)
    const result = await process.call(of.what, { beforeMs: this.#delayMs(), afterMs: 1 }, run)
    checkRunning(of.signal)
    return result
  }

  async #reach(process: SimProcess, { host, signal }: { readonly host: string; readonly signal: AbortSignal | undefined }): Promise<void> {
    checkRunning(signal)
    if (this.weather.isAway || this.#cut.has(host)) {
      await process.wait(timeoutMs, 'does not reach the objects')
      throw new ObjectStoreError('away', 'the store was not reached')
    }
    if (!this.#dice.chance(this.weather.refused)) return
    await process.wait(this.#delayMs(), 'is told to slow down')
    throw new ObjectStoreError('away', 'slow down')
  }

  #delayMs(): number {
    return this.weather.delayMs + this.#dice.fraction() * this.weather.jitterMs
  }
}

function checkRunning(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ObjectStoreError('away', 'the call was aborted', signal.reason)
}
