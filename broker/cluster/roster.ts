import { type Clock, within } from '../runtime/clock.ts'
import { aliveBrokers, type BrokerImage, type Image } from './image.ts'
import type { MetadataLog } from './metadata-log.ts'

export interface RosterOptions {
  readonly metadata: Pick<MetadataLog, 'image' | 'onChange'>
  readonly clock: Clock
  /** Milliseconds for which a broker that has gone is listed. */
  readonly departedMs: number
  /** Milliseconds for which clients wait at most until it is clear who is gone. */
  readonly newsMsMax: number
  /** Resolves once that is known of those that were lost a moment ago; undefined where there are none. */
  endingsKnown(): Promise<unknown> | undefined
}

/**
 * What clients are told of brokers, so that those of a leader that was killed go on at once (docs/adr/0011). A client that hears of
 * it once more asks again a second later: so it is told when it is known who is gone. And librdkafka learns the new leader and the
 * list of brokers from one answer; it forgets a broker that is not listed, and with it who leads what that one led.
 */
export class Roster {
  readonly #options: RosterOptions
  #alive: ReadonlySet<number>
  /** When they went, monotonic. At most as many as there are brokers. */
  readonly #departed = new Map<number, number>()

  constructor(options: RosterOptions) {
    this.#options = options
    this.#alive = aliveIn(options.metadata.image)
    options.metadata.onChange((image) => this.#follow(image))
  }

  /** Resolves once it is known whether brokers that were lost a moment ago have ended, and who leads then; or a moment later. */
  async settled(): Promise<void> {
    const { clock, newsMsMax, endingsKnown } = this.#options
    const known = endingsKnown()
    if (known !== undefined) await within(clock, newsMsMax, known)
  }

  /** Those that serve, and for a while those that did, in the order of their ids; not one that was unregistered. */
  brokers(image: Image): readonly BrokerImage[] {
    const oldest = this.#options.clock.monotonic() - this.#options.departedMs
    for (const [brokerId, at] of this.#departed) if (at < oldest || this.#alive.has(brokerId)) this.#departed.delete(brokerId)
    if (this.#departed.size === 0) return aliveBrokers(image)
    const listed = [...image.brokers.values()].filter(({ brokerId, isFenced }) => !isFenced || this.#departed.has(brokerId))
    return listed.sort((one, other) => one.brokerId - other.brokerId)
  }

  #follow(image: Image): void {
    const before = this.#alive
    this.#alive = aliveIn(image)
    for (const brokerId of before) if (!this.#alive.has(brokerId)) this.#departed.set(brokerId, this.#options.clock.monotonic())
  }
}

function aliveIn(image: Image): ReadonlySet<number> {
  return new Set(aliveBrokers(image).map(({ brokerId }) => brokerId))
}
