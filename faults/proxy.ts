// A TCP proxy for one directed link. What the network does to a link is done to each direction by itself:
//
//   cut       nothing gets through, and nobody is told: as with TCP, what was sent arrives late, when the cut heals
//   delay     each byte arrives so much later; throughput stays
//   throttle  so many bytes pass per second
//   reset     all connections end with RST
//   refuse    nobody listens, as when the process behind it has ended
//   forget    half-open: the far side is gone, and the near side does not hear of it

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Conditions, Flow } from './flow.ts'

export type { Conditions } from './flow.ts'

/** `forth`: from who connects to who listens. */
export type Direction = 'forth' | 'back'

interface Pair {
  readonly near: Socket
  readonly far: Socket
  readonly flows: Readonly<Record<Direction, Flow>>
}

export class TcpProxy {
  readonly #target: number
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #conditions: Record<Direction, Conditions> = { forth: {}, back: {} }
  /** Connections that came, and those that were ended by force. */
  readonly counts = { accepted: 0, ended: 0 }
  /** Bytes that connections which are gone held back for longer than a moment. */
  #heldBytes = 0
  /** Bytes that went forth on connections which are gone. */
  #sentBytes = 0
  port = 0

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near))
  }

  /** A link to a port on loopback. */
  static async open(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    await proxy.listen()
    return proxy
  }

  /** Bytes that were held back by a cut, a delay or a throttle so far. */
  get heldBytes(): number {
    return [...this.#pairs].reduce((sum, { flows }) => sum + flows.forth.heldBytes + flows.back.heldBytes, this.#heldBytes)
  }

  /** Bytes that went forth so far. */
  get sentBytes(): number {
    return [...this.#pairs].reduce((sum, { flows }) => sum + flows.forth.passedBytes, this.#sentBytes)
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** The same port again after `refuse`. */
  async listen(): Promise<void> {
    if (this.#server.listening) return
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(this.port, '127.0.0.1', () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    this.port = (this.#server.address() as AddressInfo).port
  }

  /** Nobody listens, and every connection ends. */
  refuse(): void {
    if (this.#server.listening) this.#server.close()
    this.reset()
  }

  set(direction: Direction | 'both', conditions: Conditions): void {
    for (const each of direction === 'both' ? (['forth', 'back'] as const) : [direction]) {
      this.#conditions[each] = conditions
      for (const { flows } of this.#pairs) flows[each].set(conditions)
    }
  }

  cut(direction: Direction | 'both' = 'both'): void {
    this.set(direction, { isCut: true })
  }

  /** What is held back goes on its way. */
  heal(): void {
    this.set('both', {})
  }

  reset(): void {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
      this.counts.ended++
    }
  }

  /** The far side of every connection is gone, and the near side is not told. */
  forget(): void {
    for (const { flows, far } of this.#pairs) {
      flows.back.forget()
      far.resetAndDestroy()
      this.counts.ended++
    }
  }

  async close(): Promise<void> {
    this.reset()
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #accept(near: Socket): void {
    this.counts.accepted++
    const far = connect({ host: '127.0.0.1', port: this.#target, allowHalfOpen: true, noDelay: true })
    const flows = { forth: new Flow(near, far), back: new Flow(far, near) }
    const pair: Pair = { near, far, flows }
    for (const each of ['forth', 'back'] as const) flows[each].set(this.#conditions[each])
    this.#pairs.add(pair)
    const gone = (): void => {
      if (!near.destroyed || !far.destroyed || !this.#pairs.delete(pair)) return
      this.#heldBytes += flows.forth.heldBytes + flows.back.heldBytes
      this.#sentBytes += flows.forth.passedBytes
    }
    near.on('close', gone)
    far.on('close', gone)
  }
}
