// Connections to other brokers for requests whose answers may take a while. A connection serves one request after the other, so
// what is asked for at the same time goes over several, which stay open for what comes next.

import type { Api, GivenOf, ReadOf, Shape } from '../protocol/schema.ts'
import type { AskOptions } from './ask-broker.ts'
import type { BrokerClient } from './broker-client.ts'

export interface BrokerLinksOptions {
  /** Connections to one broker; more requests share them, and wait for each other. */
  readonly linksMax: number
  /** Rejects with `BrokerUnreachable`. */
  connect(brokerId: number): Promise<BrokerClient>
}

interface Link {
  readonly client: Promise<BrokerClient>
  underWay: number
}

export class BrokerLinks {
  readonly #options: BrokerLinksOptions
  readonly #links = new Map<number, Set<Link>>()
  #isClosed = false

  constructor(options: BrokerLinksOptions) {
    this.#options = options
  }

  /** As `AskBroker`, of one of the others. */
  async ask<Q extends Shape, P extends Shape>(
    brokerId: number, api: Api<Q, P>, request: GivenOf<Q>, { version, timeoutMs }: AskOptions,
  ): Promise<ReadOf<P>> {
    const link = this.#linkTo(brokerId)
    link.underWay += 1
    try {
      const client = await link.client
      const { response, release } = await client.call(api, { version, request, timeoutMs })
      release()
      return response
    } finally {
      link.underWay -= 1
    }
  }

  close(): void {
    this.#isClosed = true
    for (const links of this.#links.values()) {
      for (const { client } of links) client.then((one) => one.close(), () => {})
    }
    this.#links.clear()
  }

  /** One that is free, else a new one, else the one with the fewest requests. */
  #linkTo(brokerId: number): Link {
    let links = this.#links.get(brokerId)
    if (links === undefined) this.#links.set(brokerId, (links = new Set()))
    let best: Link | undefined
    for (const link of links) if (best === undefined || link.underWay < best.underWay) best = link
    if (best !== undefined && (best.underWay === 0 || links.size >= this.#options.linksMax)) return best
    const link: Link = { client: this.#options.connect(brokerId), underWay: 0 }
    links.add(link)
    const forget = () => {
      links.delete(link)
      if (links.size === 0 && this.#links.get(brokerId) === links) this.#links.delete(brokerId)
    }
    link.client.then((client) => {
      if (this.#isClosed) client.close()
      void client.lost.then(forget)
    }, forget)
    return link
  }
}
