// The network between simulated hosts: connections of bytes, in order, each direction with delays of its own. Links can
// be cut in one direction or both: what is on its way then waits, as TCP would send it again, until the link is healed
// or the sender's system gives up. The buffers of a write are read when they arrive, not when they are written, and what
// was lent to a reader is spoiled after the call: who breaks the contract of `ByteStream` is found out.

import type { ByteStream, ByteStreamEvents, Listener, Network } from '../broker/runtime/network.ts'
import type { SeededRandom } from '../test/support/seeded-random.ts'
import type { SimProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'

export interface NetworkWeather {
  /** Milliseconds that a piece takes at least. */
  delayMs: number
  /** Milliseconds that it may take longer; connections overtake each other by that. */
  jitterMs: number
  /** The probability that a write arrives in several pieces. */
  splits: number
  /** The probability per piece that its connection is reset. */
  resets: number
}

/** After so long on a link that is cut, a system gives a connection up. */
const giveUpMs = 20_000
/** Bytes that the receiving system takes before its program does. */
const windowBytes = 64 * 1024

interface Bound {
  readonly process: SimProcess
  readonly host: string
  accept(stream: ByteStream): void
  readonly open: Set<SimStream>
  onEmpty: (() => void) | undefined
}

export class SimNetwork {
  readonly scheduler: Scheduler
  readonly dice: SeededRandom
  readonly weather: NetworkWeather = { delayMs: 0.2, jitterMs: 0.5, splits: 0.1, resets: 0 }
  readonly #listeners = new Map<string, Bound>()
  /** `from>to` */
  readonly #cut = new Set<string>()
  /** What waits for a link, by link. */
  readonly #held = new Map<string, Set<SimStream>>()
  /** Those of each process, which its system closes when it ends. */
  readonly #streams = new Map<SimProcess, Set<SimStream>>()
  #connections = 0

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
    this.dice = scheduler.dice('network')
  }

  /** What goes from `from` to `to` no longer arrives. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`)
  }

  heal(from: string, to: string): void {
    this.#cut.delete(`${from}>${to}`)
    const waiting = this.#held.get(`${from}>${to}`)
    this.#held.delete(`${from}>${to}`)
    for (const stream of waiting ?? []) stream.sendAgain()
  }

  healAll(): void {
    for (const link of [...this.#cut]) {
      const [from, to] = link.split('>')
      this.heal(from!, to!)
    }
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`)
  }

  hold(stream: SimStream, link: string): void {
    const held = this.#held.get(link) ?? new Set()
    this.#held.set(link, held.add(stream))
  }

  delayMs(): number {
    return this.weather.delayMs + this.dice.fraction() * this.weather.jitterMs
  }

  /** The network as one process on one host has it. */
  of(process: SimProcess, host: string): Network {
    return {
      listen: async (address, accept) => this.#listen(process, { ...address, accept }),
      connect: ({ host: to, port }, timeoutMs) => this.#connect(process, { from: host, to, port, timeoutMs }),
    }
  }

  #listen(process: SimProcess, at: { host: string; port: number; accept: (stream: ByteStream) => void }): Listener {
    const { host, port, accept } = at
    const name = `${host}:${port}`
    if (this.#listeners.has(name)) throw Object.assign(new Error(`${name} is taken`), { code: 'EADDRINUSE' })
    const bound: Bound = { process, host, accept, open: new Set(), onEmpty: undefined }
    this.#listeners.set(name, bound)
    const forget = () => {
      if (this.#listeners.get(name) === bound) this.#listeners.delete(name)
    }
    process.onEnd(forget)
    return {
      host, port,
      close: () => new Promise((resolve) => {
        forget()
        if (bound.open.size === 0) resolve()
        else bound.onEmpty = resolve
      }),
    }
  }

  #connect(process: SimProcess, to: { from: string; to: string; port: number; timeoutMs: number }): Promise<ByteStream> {
    const { scheduler } = this
    const number = ++this.#connections
    return new Promise((resolve, reject) => {
      let isOver = false
      const end = (give: () => void) => {
        if (!isOver) process.deliver(give)
        isOver = true
      }
      scheduler.after(to.timeoutMs, `connection ${number} is late`, () => end(() => reject(new Error(`no connection to ${to.to}`))))
      scheduler.after(this.delayMs(), `connection ${number} ${to.from}>${to.to}`, () => {
        if (this.isCut(to.from, to.to) || this.isCut(to.to, to.from)) return
        const bound = this.#listeners.get(`${to.to}:${to.port}`)
        if (bound === undefined) {
          scheduler.after(this.delayMs(), `connection ${number} is refused`, () => end(() => reject(refused(to.to))))
          return
        }
        if (isOver) return
        const [near, far] = this.#pair(number, { process, host: to.from, port: 40_000 + number }, bound)
        scheduler.after(this.delayMs(), `connection ${number} stands`, () => {
          if (isOver) return near.vanish()
          end(() => resolve(near))
        })
        // The system takes the connection; the program hears of it when it runs.
        bound.process.deliver(() => bound.accept(far))
      })
    })
  }

  #streamsOf(process: SimProcess): Set<SimStream> {
    const known = this.#streams.get(process)
    if (known !== undefined) return known
    const streams = new Set<SimStream>()
    this.#streams.set(process, streams)
    process.onEnd((isSilent) => {
      this.#streams.delete(process)
      for (const stream of [...streams]) {
        if (isSilent) stream.vanish()
        else stream.destroy()
      }
    })
    return streams
  }

  #pair(number: number, client: { process: SimProcess; host: string; port: number }, bound: Bound): [SimStream, SimStream] {
    const near = new SimStream(this, { process: client.process, link: `${client.host}>${bound.host}`, host: bound.host, port: 9092, number })
    const far = new SimStream(this, { process: bound.process, link: `${bound.host}>${client.host}`, host: client.host, port: client.port, number })
    near.peer = far
    far.peer = near
    bound.open.add(far)
    near.onGone = () => this.#streamsOf(client.process).delete(near)
    far.onGone = () => {
      this.#streamsOf(bound.process).delete(far)
      bound.open.delete(far)
      if (bound.open.size === 0) bound.onEmpty?.()
    }
    this.#streamsOf(client.process).add(near)
    this.#streamsOf(bound.process).add(far)
    return [near, far]
  }
}

interface Piece {
  /** Its place in the stream: what was sent again must not be overtaken. */
  readonly order: number
  readonly bytes: Uint8Array
  /** Of the write whose last piece this is. */
  readonly onTaken: (() => void) | undefined
  readonly kind: 'data' | 'end' | 'reset'
}

/** One end of a connection. */
export class SimStream implements ByteStream {
  readonly remoteHost: string
  readonly remotePort: number
  peer: SimStream | undefined
  onGone: () => void = () => {}
  readonly #network: SimNetwork
  readonly #process: SimProcess
  readonly #link: string
  readonly #label: string
  #events: ByteStreamEvents | undefined
  #state: 'open' | 'ending' | 'gone' = 'open'
  #isPaused = false
  /** Sent, and not with the peer's system yet: because the link is cut. */
  #unsent: Piece[] = []
  #queuedBytes = 0
  #arrivesAt = 0
  /** Arrived, and not taken by the program yet. */
  #inbox: Piece[] = []
  #inboxBytes = 0
  #sent = 0
  #arrived = 0
  /** Of the inbox, what the system has room for. */
  readonly #taken = new Set<number>()
  /** Arrived before what was sent before. */
  readonly #early = new Map<number, Piece>()
  #lastError: Error | undefined

  constructor(network: SimNetwork, of: { process: SimProcess; link: string; host: string; port: number; number: number }) {
    this.#network = network
    this.#process = of.process
    this.#link = of.link
    this.#label = `connection ${of.number} ${of.link}`
    this.remoteHost = of.host
    this.remotePort = of.port
  }

  get bytesQueued(): number {
    return this.#queuedBytes
  }

  start(events: ByteStreamEvents): void {
    this.#events = events
    if (this.#state === 'gone') queueMicrotask(() => events.closed(this.#lastError))
    else queueMicrotask(() => this.#flush())
  }

  write(buffers: readonly Uint8Array[], onTaken?: () => void): void {
    if (this.#state !== 'open') return
    const last = buffers.length - 1
    buffers.forEach((bytes, index) => {
      this.#queuedBytes += bytes.length
      for (const [piece, isLast] of this.#pieces(bytes)) {
        const taken = isLast && index === last ? onTaken : undefined
        this.#send({ kind: 'data', order: this.#sent++, bytes: piece, onTaken: taken })
      }
    })
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    queueMicrotask(() => this.#flush())
  }

  end(): void {
    if (this.#state !== 'open') return
    this.#send({ kind: 'end', order: this.#sent++, bytes: nothing, onTaken: undefined })
    this.#state = 'ending'
  }

  destroy(): void {
    if (this.#state === 'gone') return
    this.#send({ kind: 'reset', order: this.#sent++, bytes: nothing, onTaken: undefined })
    this.#close(undefined)
  }

  /** Gone without a word to the peer: its host lost power, or nobody wanted the connection any more. */
  vanish(): void {
    this.#unsent = []
    this.#close(undefined)
  }

  /** As if the network had broken it: both ends hear of it. */
  reset(): void {
    const { peer } = this
    this.#close(new Error('ECONNRESET'))
    if (peer !== undefined) peer.#close(new Error('ECONNRESET'))
  }

  sendAgain(): void {
    for (const piece of this.#unsent.splice(0)) this.#send(piece)
  }

  *#pieces(bytes: Uint8Array): Generator<[Uint8Array, boolean]> {
    const { dice, weather } = this.#network
    let start = 0
    if (bytes.length > 1 && dice.chance(weather.splits)) {
      start = dice.between(1, bytes.length - 1)
      yield [bytes.subarray(0, start), false]
    }
    yield [bytes.subarray(start), true]
  }

  #send(piece: Piece): void {
    const network = this.#network
    const { scheduler, dice, weather } = network
    if (network.isCut(...ends(this.#link))) return this.#holdBack(piece)
    if (piece.kind === 'data' && dice.chance(weather.resets)) {
      scheduler.after(0, `${this.#label} breaks`, () => this.reset())
      return
    }
    this.#arrivesAt = Math.max(this.#arrivesAt, scheduler.now + network.delayMs())
    scheduler.after(this.#arrivesAt - scheduler.now, `${this.#label} ${piece.kind} ${piece.bytes.length}`, () => {
      if (network.isCut(...ends(this.#link))) this.#holdBack(piece)
      else this.peer!.#arrive(piece)
    })
  }

  #holdBack(piece: Piece): void {
    this.#unsent.push(piece)
    this.#network.hold(this, this.#link)
    if (this.#unsent.length > 1) return
    this.#network.scheduler.after(giveUpMs, `${this.#label} is given up`, () => {
      if (this.#unsent.includes(piece) && this.#state !== 'gone') this.#close(new Error('ETIMEDOUT'))
    })
  }

  #arrive(piece: Piece): void {
    const peer = this.peer!
    if (this.#state === 'gone') {
      // Nobody knows of this connection any more, and says so.
      if (piece.kind === 'data') this.#network.scheduler.after(this.#network.delayMs(), `${this.#label} is unknown`, () => {
        if (!this.#network.isCut(...ends(this.#link))) peer.#close(new Error('ECONNRESET'))
      })
      return
    }
    if (piece.kind === 'reset') return this.#close(new Error('ECONNRESET'))
    this.#early.set(piece.order, piece)
    for (let next = this.#early.get(this.#arrived); next !== undefined; next = this.#early.get(this.#arrived)) {
      this.#early.delete(this.#arrived++)
      this.#inbox.push(next)
      this.#inboxBytes += next.bytes.length
      if (this.#inboxBytes <= windowBytes) this.#takeFromPeer(next)
    }
    this.#process.deliver(() => this.#flush())
  }

  /** Copies what has arrived, as late as can be: until it is taken, a write's memory must stay as it is. */
  #takeFromPeer(piece: Piece): void {
    const index = this.#inbox.indexOf(piece)
    if (index >= 0) this.#inbox[index] = { ...piece, bytes: Uint8Array.prototype.slice.call(piece.bytes), onTaken: undefined }
    this.#taken.add(piece.order)
    this.peer!.#isTaken(piece)
  }

  /** The peer's system has it. */
  #isTaken(piece: Piece): void {
    if (this.#state === 'gone') return
    const wasHigh = this.#queuedBytes > 0
    this.#queuedBytes -= piece.bytes.length
    this.#process.deliver(() => {
      if (this.#state === 'gone') return
      piece.onTaken?.()
      if (wasHigh && this.#queuedBytes === 0) this.#events?.drained()
    })
  }

  #flush(): void {
    while (this.#events !== undefined && !this.#isPaused && this.#inbox.length > 0 && this.#state !== 'gone') {
      const first = this.#inbox[0]!
      if (!this.#taken.delete(first.order)) this.#takeFromPeer(first)
      this.#taken.delete(first.order)
      const piece = this.#inbox.shift()!
      this.#inboxBytes -= piece.bytes.length
      if (piece.kind === 'end') {
        // Nobody keeps one direction open, as Node does not by default.
        this.end()
        return this.#close(undefined)
      }
      const lent = Buffer.from(piece.bytes.buffer, piece.bytes.byteOffset, piece.bytes.length)
      this.#events.data(lent)
      lent.fill(0xdd)
    }
  }

  #close(cause: Error | undefined): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#lastError = cause
    this.#queuedBytes = 0
    this.#inbox = []
    this.onGone()
    this.#process.deliver(() => queueMicrotask(() => this.#events?.closed(cause)))
  }
}

const nothing = new Uint8Array(0)

function ends(link: string): [string, string] {
  const [from, to] = link.split('>')
  return [from!, to!]
}

/** As the system tells programs of it. */
function refused(host: string): Error {
  return Object.assign(new Error(`nobody listens on ${host}`), { code: 'ECONNREFUSED' })
}
