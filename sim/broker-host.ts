// A simulated machine with a broker on it: the broker's own code, put together as on a real one (broker/start.ts) with
// everything else simulated. A broker that cannot start is started again, as a supervisor would.

import { Broker } from '../broker/broker.ts'
import type { Rules } from '../broker/runtime/rules.ts'
import { type Config, readConfig } from '../broker/config.ts'
import { Metrics } from '../broker/metrics.ts'
import { recordsOf } from '../broker/protocol/records.ts'
import type { Partition } from '../broker/replication/partition.ts'
import type { Logger } from '../broker/runtime/logger.ts'
import { InProcessTierIo } from '../broker/tier/in-process-tier-io.ts'
import { tierIoLimits } from '../broker/tier/tier-io.ts'
import { SimDisk } from './disk.ts'
import type { SimNetwork } from './network.ts'
import type { SimObjects } from './objects.ts'
import { type HostTime, SimProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimTable } from './table.ts'

export interface World {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly table: SimTable
  readonly objects: SimObjects
  /** Hears what a broker says of itself. */
  onLog(host: string, level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: object): void
  /** A broker did what it must never do. */
  onDefect(host: string, what: string, cause: unknown): void
}

export const brokerPort = 9092

/** Small, so that caches overflow and uploads come in pieces within a run. */
const smallTier = {
  ...tierIoLimits, blockBytes: 16 * 1024, blockMemoryBytesMax: 64 * 1024, blockFileBytesMax: 0, checksumBytes: 4 * 1024,
  uploadChunkBytes: 8 * 1024, indexBytesMax: 64 * 1024, readAheadBytes: 32 * 1024, indexIntervalBytes: 1024,
}

export interface HostOptions {
  readonly id: number
  readonly durability: 'fsync' | 'replicated'
  /** Under Kafka's names. */
  readonly settings: Readonly<Record<string, string>>
  readonly rules: Rules
}

export class BrokerHost {
  readonly id: number
  readonly name: string
  readonly disk: SimDisk
  readonly time: HostTime = { skewMs: 0, rate: 1 }
  /** Starts so far, and those that came to serve clients. */
  readonly starts = { tried: 0, served: 0 }
  readonly #world: World
  readonly #config: Config
  readonly #rules: Rules
  /** Of its system: what was not synced outlives a process, and not the system. */
  #boots = 1
  #process: SimProcess | undefined
  #broker: Broker | undefined
  #mayRun = false

  constructor(world: World, of: HostOptions) {
    this.id = of.id
    this.name = `broker-${of.id}`
    this.#world = world
    this.#config = configOf(this.name, of)
    this.#rules = of.rules
    this.disk = new SimDisk(world.scheduler, this.name)
  }

  get isServing(): boolean {
    return this.#broker !== undefined && this.#process?.isRunning === true
  }

  /** The partitions that it leads, as it believes. */
  get leads(): Partition[] {
    return this.isServing ? [...this.#broker!.partitions].filter(({ term }) => term !== undefined) : []
  }

  /** What it has of a partition. */
  replica({ topicId, partition }: Pick<Partition, 'topicId' | 'partition'>): Partition | undefined {
    if (this.#process === undefined || this.#broker === undefined) return undefined
    return [...this.#broker.partitions].find((one) => one.topicId === topicId && one.partition === partition)
  }

  get isUp(): boolean {
    return this.#process !== undefined
  }

  start(): void {
    this.#mayRun = true
    if (this.#process !== undefined) return
    this.time.leapMs = 0
    const process = new SimProcess(`${this.name}.${++this.starts.tried}`, this.#world.scheduler, this.time)
    this.#process = process
    this.#world.scheduler.note(`${process.name} starts`)
    this.#run(process).then(
      (broker) => {
        if (process.hasEnded) return
        this.#broker = broker
        this.starts.served++
        this.#world.scheduler.note(`${process.name} serves`)
      },
      (cause: unknown) => {
        this.#world.onLog(this.name, 'error', 'the broker could not start', { cause })
        this.#restart(process)
      },
    )
  }

  /** Stops in order; one that takes too long is killed, as a supervisor does. */
  async stop(graceMs = 15_000): Promise<void> {
    this.#mayRun = false
    const [process, broker] = [this.#process, this.#broker]
    if (process === undefined) return
    if (broker === undefined || !process.isRunning) return this.kill()
    const { scheduler } = this.#world
    scheduler.note(`${process.name} is asked to stop`)
    this.#broker = undefined
    const stopped = broker.stop().catch((cause: unknown) => this.#world.onLog(this.name, 'error', 'the broker could not stop in order', { cause }))
    await Promise.race([stopped, scheduler.sleep(graceMs).then(() => scheduler.note(`${process.name} did not stop`))])
    if (!process.hasEnded) this.#end(process, {})
  }

  /** The process ends without a word, and its system lives on. */
  kill(): void {
    this.#mayRun = false
    if (this.#process !== undefined) this.#end(this.#process, {})
  }

  /** The machine ends without a word, and what was not synced is lost. */
  async losePower(): Promise<void> {
    this.#mayRun = false
    if (this.#process !== undefined) this.#end(this.#process, { isSilent: true })
    this.#boots++
    await this.disk.losePower()
  }

  /** The machine ends without a word, and the next one has its name and an empty disk. */
  async loseDisk(): Promise<void> {
    await this.losePower()
    this.disk.memory.replace()
  }

  pause(): void {
    this.#world.scheduler.note(`${this.name} is paused`)
    this.#process?.pause()
  }

  resume(): void {
    this.#world.scheduler.note(`${this.name} goes on`)
    this.#process?.resume()
  }

  #end(process: SimProcess, how: { readonly isSilent?: boolean }): void {
    this.#world.scheduler.note(`${process.name} ends${how.isSilent ? ' with its machine' : ''}`)
    process.end(how)
    this.#process = undefined
    this.#broker = undefined
  }

  #restart(process: SimProcess): void {
    if (process.hasEnded) return
    const mayRun = this.#mayRun
    this.#end(process, {})
    if (mayRun) this.#world.scheduler.after(1_000, `${this.name} is started again`, () => {
      if (this.#mayRun) this.start()
    })
  }

  async #run(process: SimProcess): Promise<Broker> {
    const { network, table, objects, onLog, onDefect } = this.#world
    const disk = this.disk.mount(process)
    const config = this.#config
    await disk.makeDirectory(config.data)
    const log = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) => {
      if (process.hasEnded) return
      onLog(this.name, level, message, fields)
      const { cause } = fields as { readonly cause?: unknown }
      if (message.startsWith('a request failed in a way')) onDefect(this.name, message, cause)
    }
    const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
    const tierIo = await InProcessTierIo.open({
      store: objects.of(process, this.name), disk, clock: process.clock, limits: smallTier, cacheDirectory: '/data/cache', recordsOf,
      onFault: (doing, cause) => logger.warn({ doing, cause }, 'the tier had a fault that costs speed only'),
    })
    return Broker.start(config, {
      clock: process.clock, random: process, disk, network: network.of(process, this.name), logger, metrics: new Metrics(),
      table: table.of(process, this.name), tierIo, rules: this.#rules, bootId: `${this.name}-${this.#boots}`,
      onReplaced: () => this.#restart(process),
    })
  }
}

function configOf(name: string, { id, settings, durability }: HostOptions): Config {
  return readConfig({
    flags: {
      listen: `${name}:${brokerPort}`, http: 'off', data: '/data', id: String(id), 'allow-unauthenticated': true, durability,
      set: Object.entries(settings).map(([setting, value]) => `${setting}=${value}`),
    },
    environment: {}, file: undefined,
  })
}
