// A process whose workers take records of an input topic, put them to an output topic and commit, each a few records at a
// time in a transaction with its offsets. It is killed and started again, and what it was told comes as lines of JSON:
//
//   {"committed":TOKEN}  {"aborted":TOKEN}  {"trouble":TEXT}
//
// Every transaction writes to two output partitions at least (test/transactions/checker.ts says what), and each
// `abortEvery`th is aborted once everything of it was acknowledged, and made again.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

export interface WorkerOptions {
  readonly bootstrap: string
  /** Begins all transactional ids, and so all tokens. */
  readonly name: string
  readonly input: string
  readonly inputPartitions: number
  readonly output: string
  readonly outputPartitions: number
  readonly group: string
  readonly workers: number
  /** Of a transaction, the one that marks its end not counted. */
  readonly recordsMax: number
  /** Of a transaction. */
  readonly timeoutMs: number
  readonly abortEvery: number
}

export interface WorkerProgram {
  readonly command: string
  /** The options are added as the last one. */
  readonly args: readonly string[]
}

const restartAfterMs = 200
const complaintsKept = 20

export class Worker {
  readonly options: WorkerOptions
  readonly committed = new Set<string>()
  readonly aborted = new Set<string>()
  /** The last of what went wrong, in its words. */
  readonly complaints: string[] = []
  troubles = 0
  kills = 0
  readonly #program: WorkerProgram
  #process: ChildProcessByStdio<Writable, Readable, Readable>
  #isStopping = false

  constructor(program: WorkerProgram, options: WorkerOptions) {
    this.#program = program
    this.options = options
    this.#process = this.#spawn()
  }

  /** At once, without a word to anybody; it is started again. */
  kill(): void {
    this.kills++
    this.#process.kill('SIGKILL')
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    const child = this.#process
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }

  #spawn(): ChildProcessByStdio<Writable, Readable, Readable> {
    const { command, args } = this.#program
    const child = spawn(command, [...args, JSON.stringify(this.options)], { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => {})
    child.on('error', (error) => this.#complain(error.message))
    child.on('exit', () => void this.#startAgain())
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line))
    createInterface({ input: child.stderr }).on('line', (line) => this.#complain(line))
    return child
  }

  async #startAgain(): Promise<void> {
    await sleep(restartAfterMs)
    if (!this.#isStopping) this.#process = this.#spawn()
  }

  #hear(line: string): void {
    // What a killed process was about to say may be cut off.
    const found = /^\{"(committed|aborted|trouble)":\s*"(.*)"\}$/.exec(line)
    if (found === null) return
    const [, what, text] = found as unknown as [string, 'committed' | 'aborted' | 'trouble', string]
    if (what === 'trouble') {
      this.troubles++
      this.#complain(text)
    } else this[what].add(text)
  }

  #complain(text: string): void {
    this.complaints.push(text)
    this.complaints.splice(0, this.complaints.length - complaintsKept)
  }
}
