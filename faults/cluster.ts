// Three broker processes with a proxy on every link: clients to each broker, and each broker to each other one. Clients
// and brokers know each other only by the proxies' addresses; who observes goes past them.

import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterProcess, freePorts } from '../test/support/cluster-process.ts'
import { localstackStores } from '../test/support/localstack-stores.ts'
import { TcpProxy } from './proxy.ts'

export const brokerIds = [1, 2, 3] as const

export interface ClusterOptions {
  /** DynamoDB and S3 there, in place of SQLite and a folder, with a proxy before the table. */
  readonly localstackUrl?: string | undefined
  /** Brokers reach each other past the proxies, which have the processor that copying is to be measured with. */
  readonly arePeersDirect?: boolean
}

export class Cluster {
  readonly #processes: ClusterProcess
  readonly #ports: ReadonlyMap<number, number>
  /** From clients, by broker. */
  readonly #clients: ReadonlyMap<number, TcpProxy>
  /** Between brokers, by `FROM>TO`. */
  readonly #peers: ReadonlyMap<string, TcpProxy>
  /** From all brokers to the table; undefined where that is a file. */
  readonly table: TcpProxy | undefined
  readonly #down = new Set<number>()
  readonly #stopped = new Set<number>()
  /** Links that are to be opened once the broker behind them listens. */
  readonly #openings = new Map<number, AbortController>()

  private constructor(of: {
    processes: ClusterProcess; ports: ReadonlyMap<number, number>; clients: ReadonlyMap<number, TcpProxy>; peers: ReadonlyMap<string, TcpProxy>
    table: TcpProxy | undefined
  }) {
    this.#processes = of.processes
    this.#ports = of.ports
    this.#clients = of.clients
    this.#peers = of.peers
    this.table = of.table
  }

  static async start({ localstackUrl, arePeersDirect = false }: ClusterOptions = {}): Promise<Cluster> {
    const ports = await freePorts(brokerIds)
    const clients = new Map<number, TcpProxy>()
    const peers = new Map<string, TcpProxy>()
    for (const to of brokerIds) {
      clients.set(to, await TcpProxy.open(ports.get(to)!))
      for (const from of brokerIds) if (from !== to) peers.set(`${from}>${to}`, await TcpProxy.open(ports.get(to)!))
    }
    const portOf = (from: number, to: number) => (arePeersDirect ? ports.get(to)! : peers.get(`${from}>${to}`)!.port)
    const flags = (id: number): string[] => [
      '--advertise', `127.0.0.1:${clients.get(id)!.port}`,
      ...brokerIds.filter((to) => to !== id).flatMap((to) => ['--peer', `${to}=127.0.0.1:${portOf(id, to)}`]),
    ]
    const table = localstackUrl === undefined ? undefined : await TcpProxy.open(Number(new URL(localstackUrl).port))
    const stores = table === undefined ? {} : await localstackStores(localstackUrl!, { tableUrl: `http://127.0.0.1:${table.port}` })
    const processes = await ClusterProcess.start({ ids: brokerIds, ports, flags, ...stores })
    return new Cluster({ processes, ports, clients, peers, table })
  }

  /** Where clients begin. */
  get bootstrap(): string[] {
    return [...this.#clients.values()].map(({ port }) => `127.0.0.1:${port}`)
  }

  /** The real ports of those that run, for who observes. */
  get observed(): string[] {
    return brokerIds.filter((id) => this.isUp(id) && !this.#stopped.has(id)).map((id) => this.addressOf(id))
  }

  /** Past all proxies. */
  addressOf(id: number): string {
    return `127.0.0.1:${this.#ports.get(id)}`
  }

  get tablePath(): string {
    return this.#processes.tablePath
  }

  get objectsPath(): string {
    return this.#processes.objectsPath
  }

  diskPath(id: number): string {
    return this.#processes.diskPath(id)
  }

  others(id: number): number[] {
    return brokerIds.filter((other) => other !== id)
  }

  isUp(id: number): boolean {
    return !this.#down.has(id)
  }

  pid(id: number): number {
    return this.#processes.broker(id).pid
  }

  /** The last lines that a broker wrote. */
  output(id: number): string {
    return this.#processes.broker(id).output
  }

  fromClients(id: number): TcpProxy {
    return this.#clients.get(id)!
  }

  link(from: number, to: number): TcpProxy {
    return this.#peers.get(`${from}>${to}`)!
  }

  /** All links between a broker and the others, both ways. */
  peersOf(id: number): TcpProxy[] {
    return this.others(id).flatMap((other) => [this.link(id, other), this.link(other, id)])
  }

  get allLinks(): TcpProxy[] {
    return [...this.#clients.values(), ...this.#peers.values(), ...(this.table === undefined ? [] : [this.table])]
  }

  /** What listened at it refuses from then on, as the system does for a process that is gone. */
  async kill(id: number, signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const broker = this.#processes.broker(id)
    const ended = broker.stop(signal)
    if (signal === 'SIGKILL') this.#down.add(id)
    await ended
    this.#down.add(id)
    this.#openings.get(id)?.abort()
    for (const proxy of this.#linksTo(id)) proxy.refuse()
  }

  async start(id: number): Promise<void> {
    const opened = this.#openWith(id)
    await this.#processes.broker(id).start()
    await opened
    this.#down.delete(id)
  }

  /** Starts it without waiting for it to answer. */
  launch(id: number): void {
    void this.#openWith(id)
    this.#processes.broker(id).launch()
  }

  pause(id: number): void {
    this.#stopped.add(id)
    process.kill(this.pid(id), 'SIGSTOP')
  }

  resume(id: number): void {
    process.kill(this.pid(id), 'SIGCONT')
    this.#stopped.delete(id)
  }

  wipe(id: number): void {
    rmSync(this.diskPath(id), { recursive: true, force: true })
  }

  heal(): void {
    for (const proxy of this.allLinks) proxy.heal()
  }

  /** Brokers that ended without being told to. */
  fallen(): number[] {
    return brokerIds.filter((id) => this.isUp(id) && !isRunning(this.pid(id)))
  }

  async dispose(): Promise<void> {
    for (const id of this.#stopped) this.resume(id)
    for (const opening of this.#openings.values()) opening.abort()
    await this.#processes.dispose()
    await Promise.all(this.allLinks.map((proxy) => proxy.close()))
  }

  /** Its links refuse until it listens itself, as without a proxy: that nobody listens is what shows others that it ended. */
  async #openWith(id: number): Promise<void> {
    const opening = new AbortController()
    this.#openings.set(id, opening)
    const port = this.#ports.get(id)!
    while (!opening.signal.aborted) {
      if (await listens(port)) {
        for (const proxy of this.#linksTo(id)) if (!opening.signal.aborted) await proxy.listen()
        return
      }
      await sleep(5)
    }
  }

  #linksTo(id: number): TcpProxy[] {
    return [this.fromClients(id), ...this.others(id).map((other) => this.link(other, id))]
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
