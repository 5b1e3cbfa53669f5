// A broker in a process of its own, as an operator runs it: `node bin/longtail.js` with a data directory, on a port that
// it keeps over restarts. Suites stop it, kill it and start it again.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { answering, freePort } from './answering.ts'

const main = fileURLToPath(new URL('../../bin/longtail.js', import.meta.url))

/** What the suites need of a broker; Apache Kafka can stand in for ours (scripts/peer/apache-kafka.ts). */
export interface RunningBroker {
  readonly bootstrap: string
  readonly pid: number
  start(): Promise<unknown>
  /** Ends it in order, or at once with SIGKILL; returns when the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface BrokerProcessOptions {
  /** Made and removed by us where not given. */
  readonly data?: string
  /** Chosen where not given. */
  readonly port?: number
  /** Further flags, such as `--durability replicated`. */
  readonly flags?: readonly string[]
  /** Kafka's broker settings. */
  readonly settings?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly startWithinMs?: number
}

/** Lines of output that are kept for an error message. */
const linesKept = 60

export class BrokerProcess implements RunningBroker {
  readonly port: number
  readonly data: string
  readonly #options: BrokerProcessOptions
  readonly #output: string[] = []
  #process: ChildProcess | undefined

  private constructor(options: BrokerProcessOptions, port: number) {
    this.#options = options
    this.port = port
    this.data = options.data ?? mkdtempSync(join(tmpdir(), 'longtail-broker-'))
  }

  static async start(options: BrokerProcessOptions = {}): Promise<BrokerProcess> {
    const broker = new BrokerProcess(options, options.port ?? (await freePort()))
    await broker.start()
    return broker
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`
  }

  get pid(): number {
    const pid = this.#process?.pid
    if (pid === undefined) throw new Error('the broker is not running')
    return pid
  }

  /** The last lines that it wrote, for an error message. */
  get output(): string {
    return this.#output.join('\n')
  }

  /** Starts the process without waiting for it to answer. */
  launch(): void {
    const { flags = [], settings = {}, env } = this.#options
    const sets = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
    const args = ['--listen', this.bootstrap, '--data', this.data, '--http', 'off', '--log-level', 'warn', ...flags, ...sets]
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output.push(...text.trimEnd().split('\n'))
        this.#output.splice(0, this.#output.length - linesKept)
      })
    }
    this.#process = child
  }

  async start(): Promise<void> {
    this.launch()
    const stopped = new AbortController()
    this.#process!.once('exit', (code, signal) =>
      stopped.abort(new Error(`the broker ended with ${code ?? signal} before it answered:\n${this.output}`)),
    )
    await answering(this.port, { withinMs: this.#options.startWithinMs ?? 90_000, signal: stopped.signal })
  }

  /** Resolves with the exit code when the process ends by itself, such as by an assertion. */
  ended(): Promise<number | null> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(child?.exitCode ?? null)
    return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = this.ended()
    child.kill(signal)
    const force = setTimeout(() => child.kill('SIGKILL'), 15_000)
    await exited
    clearTimeout(force)
  }

  /** Ends it and removes the data directory, if it was made here. */
  async dispose(): Promise<void> {
    await this.stop('SIGKILL')
    if (this.#options.data === undefined) rmSync(this.data, { recursive: true, force: true })
  }
}
