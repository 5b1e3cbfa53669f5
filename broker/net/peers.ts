// The other brokers, as this one reaches them. To each that serves there is one connection, over which it is told that the
// metadata has changed, and which shows at once where its process has ended: the system refuses what nobody listens for.
// Copies of records go over connections of their own.

import { aliveBrokers, type BrokerImage, type Image } from '../cluster/image.ts'
import { metadataHintApi } from '../protocol/internal/metadata-hint.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Network } from '../runtime/network.ts'
import { BrokerClient, type BrokerClientLimits, BrokerUnreachable } from './broker-client.ts'

export interface PeerLimits extends BrokerClientLimits {
  /** Milliseconds after which a broker that refused is asked once more; a second refusal is evidence. */
  readonly refusedAgainMs: number
  /** Milliseconds between two attempts to reach a broker. */
  readonly reconnectMs: number
  /** Milliseconds within which a hint is to be answered. */
  readonly hintTimeoutMs: number
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface PeersOptions {
  readonly network: Network
  readonly clock: Clock
  readonly brokerId: number
  readonly limits: PeerLimits
  /** Where a broker is reached, if not where it says. */
  readonly addresses: ReadonlyMap<number, Address>
  image(): Image
  /** Nobody listens where this broker was: its process has ended. Resolves once that has had its consequences. Never rejects. */
  onRefused(broker: BrokerImage): Promise<void>
}

/** One life of a connection to a broker in one of its incarnations. */
interface Link {
  readonly broker: BrokerImage
  readonly stopping: AbortController
  client: BrokerClient | undefined
  /** While it is not known why the connection was lost: whether the broker has ended. */
  doubt: PromiseWithResolvers<void> | undefined
}

export class Peers {
  readonly #options: PeersOptions
  readonly #links = new Map<number, Link>()

  constructor(options: PeersOptions) {
    this.#options = options
  }

  /** A new connection to a broker. Rejects with `BrokerUnreachable`. */
  async connect(brokerId: number): Promise<BrokerClient> {
    const broker = this.#options.image().brokers.get(brokerId)
    if (broker === undefined) throw new BrokerUnreachable(`broker ${brokerId} is not registered`)
    return this.#connect(broker)
  }

  /** Keeps up with who there is. */
  follow(image: Image): void {
    const alive = new Map(aliveBrokers(image).map((broker) => [broker.brokerId, broker]))
    alive.delete(this.#options.brokerId)
    for (const [brokerId, link] of this.#links) {
      if (alive.get(brokerId)?.brokerEpoch !== link.broker.brokerEpoch) this.#cut(link)
    }
    for (const broker of alive.values()) if (!this.#links.has(broker.brokerId)) this.#link(broker)
  }

  /** Tells everybody that there is something new in the metadata log. Resolves once they go by it, or are not reached. */
  async hint(sequence: number): Promise<void> {
    const { hintTimeoutMs: timeoutMs } = this.#options.limits
    await Promise.all([...this.#links.values()].map(async ({ client }) => {
      // Whoever does not hear of it looks by itself a moment later.
      await client?.call(metadataHintApi, { version: 0, request: { sequence }, timeoutMs }).then(({ release }) => release(), () => {})
    }))
  }

  /**
   * Resolves once it is known of each broker whose connection was lost a moment ago whether its process has ended, with all that
   * follows from it; or that this cannot be known now. Undefined: there is none.
   */
  endingsKnown(): Promise<unknown> | undefined {
    const doubts = [...this.#links.values()].flatMap(({ doubt }) => doubt?.promise ?? [])
    return doubts.length === 0 ? undefined : Promise.all(doubts)
  }

  close(): void {
    for (const link of [...this.#links.values()]) this.#cut(link)
  }

  #cut(link: Link): void {
    link.stopping.abort()
    link.client?.close()
    this.#known(link)
    this.#links.delete(link.broker.brokerId)
  }

  #link(broker: BrokerImage): void {
    const link: Link = { broker, stopping: new AbortController(), client: undefined, doubt: undefined }
    this.#links.set(broker.brokerId, link)
    void this.#keep(link)
  }

  async #keep(link: Link): Promise<void> {
    const { clock, limits, onRefused } = this.#options
    const { broker, stopping: { signal } } = link
    for (let refusals = 0; !signal.aborted;) {
      try {
        const client = await this.#connect(broker)
        if (signal.aborted) return client.close()
        link.client = client
        refusals = 0
        this.#known(link)
        await client.lost
        link.client = undefined
        link.doubt = Promise.withResolvers()
        await sleep(clock, limits.refusedAgainMs, signal)
      } catch (cause) {
        refusals = cause instanceof BrokerUnreachable && cause.isRefused ? refusals + 1 : 0
        if (refusals === 2) await onRefused(broker)
        if (refusals !== 1) this.#known(link)
        await sleep(clock, refusals === 1 ? limits.refusedAgainMs : limits.reconnectMs, signal)
      }
    }
  }

  #known(link: Link): void {
    link.doubt?.resolve()
    link.doubt = undefined
  }

  #connect({ brokerId, host, port }: BrokerImage): Promise<BrokerClient> {
    const { network, clock, limits, addresses } = this.#options
    const address = addresses.get(brokerId) ?? { host, port }
    return BrokerClient.connect({ network, clock, address, clientId: `broker-${this.#options.brokerId}`, limits })
  }
}
