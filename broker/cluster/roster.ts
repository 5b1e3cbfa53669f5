import type { Clock } from '../runtime/clock.ts'
import { aliveBrokers, type BrokerImage, type Image } from './image.ts'

export interface RosterOptions {
  readonly clock: Clock
  readonly image: Image
  /** Milliseconds for which a broker that has gone is listed. */
  readonly departedMs: number
}

/**
 * The brokers that clients are told of: those that serve, and for a little longer those that did. When one is gone, librdkafka
 * learns the new leader of a partition and the list of brokers from one answer. It forgets a broker that is not listed, and
 * with it, until it asks again a second later, who leads what that broker led.
 */
export class Roster {
  readonly #options: RosterOptions
  #alive: ReadonlyMap<number, BrokerImage>
  /** When they went, monotonic. At most as many as there are brokers. */
  readonly #departed = new Map<number, number>()

  constructor(options: RosterOptions) {
    this.#options = options
    this.#alive = aliveIn(options.image)
  }

  /** There is a newer image. */
  follow(image: Image): void {
    const before = this.#alive
    this.#alive = aliveIn(image)
    for (const brokerId of before.keys()) if (!this.#alive.has(brokerId)) this.#departed.set(brokerId, this.#options.clock.monotonic())
  }

  /** In the order of their ids. One that was unregistered is not listed any more. */
  brokers(image: Image): readonly BrokerImage[] {
    const oldest = this.#options.clock.monotonic() - this.#options.departedMs
    for (const [brokerId, at] of this.#departed) if (at < oldest || this.#alive.has(brokerId)) this.#departed.delete(brokerId)
    if (this.#departed.size === 0) return aliveBrokers(image)
    const listed = [...image.brokers.values()].filter(({ brokerId, isFenced }) => !isFenced || this.#departed.has(brokerId))
    return listed.sort((one, other) => one.brokerId - other.brokerId)
  }
}

function aliveIn(image: Image): ReadonlyMap<number, BrokerImage> {
  return new Map(aliveBrokers(image).map((broker) => [broker.brokerId, broker]))
}
