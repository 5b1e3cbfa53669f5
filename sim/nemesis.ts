import type { SeededRandom } from '../test/support/seeded-random.ts'
import { type FaultName, faults, type Victims } from './faults.ts'

/** Brings the faults of a seed, one after another and sometimes several at once, until it is stopped. */
export class Nemesis {
  /** How often each was brought. */
  readonly brought = new Map<FaultName, number>()
  readonly #victims: Victims
  readonly #names: readonly FaultName[]
  readonly #dice: SeededRandom
  /** What undoes the faults that are there. */
  readonly #present = new Map<FaultName, Promise<() => void | Promise<void>>>()
  #isStopping = false

  constructor(victims: Victims, names: readonly FaultName[]) {
    this.#victims = victims
    this.#names = names
    this.#dice = victims.dice
  }

  start(everyMs: number): void {
    if (this.#names.length > 0) void this.#run(everyMs)
  }

  /** Resolves once everything is undone and every broker runs. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const name of [...this.#present.keys()]) await this.#end(name)
    this.#victims.network.healAll()
    for (const broker of this.#victims.brokers) {
      broker.resume()
      broker.start()
    }
  }

  async #run(everyMs: number): Promise<void> {
    const { scheduler } = this.#victims
    for (;;) {
      await scheduler.sleep(everyMs * (0.3 + this.#dice.fraction() * 1.4))
      if (this.#isStopping) return
      const name = this.#dice.pick(this.#names)
      if (this.#present.has(name) || this.#present.size >= 3) continue
      this.brought.set(name, (this.brought.get(name) ?? 0) + 1)
      scheduler.note(`fault begins: ${name}`)
      this.#present.set(name, faults[name](this.#victims))
      const lastsMs = this.#dice.pick([300, 2_000, 6_000, 15_000]) * (0.5 + this.#dice.fraction())
      void scheduler.sleep(lastsMs).then(() => this.#end(name))
    }
  }

  async #end(name: FaultName): Promise<void> {
    const present = this.#present.get(name)
    if (present === undefined) return
    const undo = await present
    // Somebody else may have ended it meanwhile, or begun it anew.
    if (this.#present.get(name) !== present) return
    this.#victims.scheduler.note(`fault ends: ${name}`)
    await undo()
    this.#present.delete(name)
  }
}
