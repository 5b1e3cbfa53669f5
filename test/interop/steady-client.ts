// A client that produces and consumes without a pause, in a process of its own and with a library that is not ours: each
// writes numbers 0, 1, 2, ... to every partition of its topic, and reads them as the only member of a group. What its user
// would see comes as lines of JSON:
//
//   {"acked":[PARTITION, NUMBER, OFFSET, SENT_AT, ACKED_AT]}     {"read":[PARTITION, OFFSET, NUMBER, AT]}    times in ms
//   {"assigned":[PARTITION, ...]}   {"revoked":[PARTITION, ...]}
//   {"error":[TEXT]}                what the user has to deal with: a record that was given up, an exception, a fatal error
//   {"notice":[TEXT]}               what the library only mentions, and deals with by itself
//   {"produced":[]}                 everything was acknowledged or given up
//
// The first line on its input ends the producing, the end of the input ends it all.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

export interface SteadyOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  readonly partitions: number
  readonly everyMs: number
  /** Over the library's defaults, by the names that it gives them. */
  readonly producer: Readonly<Record<string, unknown>>
  readonly consumer: Readonly<Record<string, unknown>>
}

export interface SteadyProgram {
  readonly command: string
  /** The options are added as the last one. */
  readonly args: readonly string[]
}

export interface Acked {
  readonly partition: number
  readonly number: number
  readonly offset: number
  readonly sentAt: number
  readonly ackedAt: number
}

export interface Read {
  readonly partition: number
  readonly offset: number
  readonly number: number
  readonly at: number
  /** How many times partitions were given out before. */
  readonly assignments: number
}

type Line = Readonly<Record<string, readonly unknown[]>>

export class SteadyClient {
  readonly acked: Acked[] = []
  readonly reads: Read[] = []
  readonly errors: string[] = []
  readonly notices: string[] = []
  /** When partitions were given to it. */
  readonly assignedAt: number[] = []
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #produced = Promise.withResolvers<void>()
  readonly #ended: Promise<unknown>

  constructor({ command, args }: SteadyProgram, options: SteadyOptions) {
    const child = spawn(command, [...args, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process = child
    this.#ended = once(child, 'close')
    child.stdin.on('error', () => {})
    child.on('error', (error) => this.#gone(error.message))
    child.on('exit', (code, signal) => this.#gone(`the process ended with ${code ?? signal}`))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#hear(JSON.parse(line) as Line)
    })
    createInterface({ input: child.stderr }).on('line', (line) => this.notices.push(line))
  }

  #hear(line: Line): void {
    if (line['acked'] !== undefined) {
      const [partition, number, offset, sentAt, ackedAt] = line['acked'] as [number, number, number, number, number]
      this.acked.push({ partition, number, offset, sentAt, ackedAt })
    } else if (line['read'] !== undefined) {
      const [partition, offset, number, at] = line['read'] as [number, number, number, number]
      this.reads.push({ partition, offset, number, at, assignments: this.assignedAt.length })
    } else if (line['assigned'] !== undefined) this.assignedAt.push(Date.now())
    else if (line['error'] !== undefined) this.errors.push(String(line['error'][0]))
    else if (line['notice'] !== undefined) this.notices.push(String(line['notice'][0]))
    else if (line['produced'] !== undefined) this.#produced.resolve()
  }

  #gone(why: string): void {
    this.#produced.reject(new Error(`${why}\n${this.notices.slice(-30).join('\n')}`))
    this.#produced.promise.catch(() => {})
  }

  /** Resolves once the fate of every record is known. */
  async stopProducing(): Promise<void> {
    this.#process.stdin.write('stop\n')
    await this.#produced.promise
  }

  async end(): Promise<void> {
    this.#process.stdin.end()
    const force = setTimeout(() => this.#process.kill('SIGKILL'), 10_000)
    await this.#ended
    clearTimeout(force)
  }
}
