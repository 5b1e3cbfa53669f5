// One run: a world under a seed, a load on it, faults, and in the end the question whether every promise held.
//
//   topics made -> load and faults -> everything healed -> progress demanded -> load stopped -> all logs read -> checked
//
// In liveness mode faults and healing take turns, and progress is demanded each time, within less.

import { BrokerHost, type World } from './broker-host.ts'
import { rulesWithout } from '../broker/runtime/rules.ts'
import { check } from './check/checker.ts'
import { emptyHistory, type History } from './check/history.ts'
import type { Violation } from './check/violation.ts'
import { skewMsMax, type Victims } from './faults.ts'
import { Nemesis } from './nemesis.ts'
import { SimNetwork } from './network.ts'
import { SimObjects } from './objects.ts'
import type { RunOptions } from './options.ts'
import { withoutRealTime } from './real-time-guard.ts'
import { Scheduler } from './scheduler.ts'
import { SimTable } from './table.ts'
import { Load } from './workload/load.ts'
import { transactionTimeoutMs } from './workload/transactions.ts'

export interface RunResult {
  readonly options: RunOptions
  readonly history: History
  readonly violations: readonly Violation[]
  /** Of the trace; the same for the same options, always. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  /** How often what was met: faults, and what the brokers said. */
  readonly seen: ReadonlyMap<string, number>
}

export interface Listeners {
  readonly onTrace?: (line: string) => void
  readonly onLog?: (line: string, fields: object) => void
}

/** A request may be carried out so long after its client gave it up: the network and the broker's own patience. */
const lateMsMax = 120_000
const progressWithinMs = { safety: 120_000, liveness: 30_000 }

export async function simulate(options: RunOptions, listeners: Listeners = {}): Promise<RunResult> {
  const run = new Run(options, listeners)
  const failed = (cause: unknown) => run.defect(`a promise was rejected that nobody waits for: ${describe(cause)}`)
  process.on('unhandledRejection', failed)
  try {
    return await withoutRealTime((what) => run.defect(`${what} was used: ${new Error().stack?.split('\n')[4]?.trim()}`), () => run.toTheEnd())
  } finally {
    process.off('unhandledRejection', failed)
  }
}

class Run {
  readonly #options: RunOptions
  readonly #scheduler: Scheduler
  readonly #world: World
  readonly #brokers: readonly BrokerHost[]
  readonly #history: History
  readonly #violations: Violation[] = []
  readonly #seen = new Map<string, number>()
  readonly #load: Load
  readonly #victims: Victims

  constructor(options: RunOptions, { onTrace, onLog }: Listeners) {
    this.#options = options
    this.#history = emptyHistory({ skewMsMax, lateMsMax, isAlone: options.brokers === 1 })
    this.#scheduler = new Scheduler(options.seed, onTrace)
    const scheduler = this.#scheduler
    this.#world = {
      scheduler, network: new SimNetwork(scheduler), table: new SimTable(scheduler), objects: new SimObjects(scheduler),
      onLog: (host, level, message, fields) => {
        this.#count(message)
        // Facts have paths and counts of their own; the message is what must be the same in the next run.
        scheduler.note(`${host} ${level}: ${message}`)
        onLog?.(`${scheduler.now.toFixed(1)} ${host} ${level}: ${message}`, fields)
      },
      onDefect: (host, what, cause) => this.defect(`${host}: ${what}: ${describe(cause)}`),
    }
    const { durability, brokers } = options
    const rules = rulesWithout(...options.without)
    this.#brokers = Array.from({ length: brokers }, (_, index) =>
      new BrokerHost(this.#world, { id: index + 1, durability, settings: brokerSettings(brokers), rules }))
    const { network } = this.#world
    this.#load = new Load({ scheduler, network, history: this.#history, bootstrap: this.#brokers.map(({ name }) => name) }, options)
    const fragile = this.#brokers.filter(({ id }) => id === options.fragile)
    this.#victims = {
      ...this.#world, brokers: this.#brokers, clients: this.#load.names, dice: scheduler.dice('nemesis'),
      withoutPower: durability === 'fsync' || fragile.length === 0 ? this.#brokers : fragile, withoutDisk: fragile,
    }
  }

  defect(what: string): void {
    if (this.#history.defects.length < 20) this.#history.defects.push(what)
  }

  async toTheEnd(): Promise<RunResult> {
    for (const broker of this.#brokers) broker.start()
    await this.#until('the topics are made', 60_000, () => this.#load.begin())
    const { mode, minutes } = this.#options
    const cycles = mode === 'liveness' ? Math.max(Math.round(minutes * 2), 1) : 1
    for (let cycle = 0; cycle < cycles && this.#violations.length === 0; cycle++) {
      const nemesis = new Nemesis(this.#victims, this.#options.faults)
      nemesis.start(this.#options.faultEveryMs)
      await this.#scheduler.run(this.#scheduler.now + (minutes * 60_000) / cycles)
      await this.#until('the faults are undone', 120_000, () => nemesis.stop())
      for (const [name, count] of nemesis.brought) this.#count(`fault: ${name}`, count)
      await this.#until('everybody gets on', progressWithinMs[mode], () => this.#load.progress())
    }
    if (this.#violations.length === 0) await this.#until('the load is stopped', 120_000, () => this.#load.stop())
    // L3: the coordinator ends what is open within 10 s of its time.
    if (this.#violations.length === 0) await this.#until('no transaction is open', transactionTimeoutMs + 10_000, () => this.#load.settle())
    if (this.#violations.length === 0) await this.#until('all logs are read', 600_000, () => this.#load.readAll())
    for (const broker of this.#brokers) broker.kill()
    const { landed, conflicted } = this.#world.table.late
    this.#count('late commits that landed', landed)
    this.#count('late commits that had a conflict', conflicted)
    this.#count('reads of objects that were damaged', this.#world.objects.damagedReads)
    for (const { asked, outcome } of this.#history.transactions) this.#count(`transactions: ${asked ?? 'left open'}${asked === undefined ? '' : `, ${outcome}`}`)
    const { happened: events, now: virtualMs } = this.#scheduler
    const violations = [...this.#violations, ...check(this.#history)]
    return { options: this.#options, history: this.#history, violations, hash: this.#scheduler.traceHash(), events, virtualMs, seen: this.#seen }
  }

  /** Lets virtual time pass until something is done; it has to be by then. */
  async #until(what: string, withinMs: number, run: () => Promise<unknown>): Promise<void> {
    let [isDone, failure]: [boolean, unknown] = [false, undefined]
    this.#scheduler.note(`now ${what}`)
    run().then(() => (isDone = true), (cause: unknown) => {
      failure = cause
      isDone = true
    })
    await this.#scheduler.run(this.#scheduler.now + withinMs, () => isDone)
    if (failure !== undefined) throw failure
    if (!isDone) this.#violations.push({ rule: 'stuck', about: `not within ${withinMs} ms: ${what}; ${this.#load.laggards()}` })
  }

  #count(what: string, count = 1): void {
    if (count > 0) this.#seen.set(what, (this.#seen.get(what) ?? 0) + count)
  }
}

/** What a broker in a run is told beside its place. */
function brokerSettings(brokers: number): Record<string, string> {
  const isReplicated = brokers >= 3
  return {
    'group.initial.rebalance.delay.ms': '0', 'replica.lag.time.max.ms': '2000', 'log.cleaner.backoff.ms': '2000',
    ...(isReplicated ? { 'default.replication.factor': '3', 'min.insync.replicas': '2' } : {}),
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? String(cause)) : String(cause)
}
