import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { places } from '../../../scripts/peer/cache.ts'
import { classPath, javaOptions } from '../../../scripts/peer/kafka-tools.ts'

export interface InstanceOptions {
  readonly bootstrap: string
  readonly applicationId: string
  readonly stateDirectory: string
  readonly replicationFactor: number
  readonly topicConfigs: Readonly<Record<string, string>>
}

/** A store that an active task read back from its changelog. */
export interface Restored {
  readonly topic: string
  readonly partition: number
  /** Offset that it began at. */
  readonly from: number
  readonly records: number
}

type Line = Readonly<{ restored?: [string, number, number, number]; standby?: [string, number, number]; state?: string; trouble?: string }>

/** One process of a Streams application, which can be killed and started again with the state that it has on disk. */
export class StreamsInstance {
  readonly restored: Restored[] = []
  /** Records that standby tasks took over. */
  standbyRecords = 0
  readonly troubles: string[] = []
  state = 'CREATED'
  readonly #options: InstanceOptions
  readonly #output: string[] = []
  #process: ChildProcessByStdio<Writable, Readable, Readable> | undefined

  constructor(options: InstanceOptions) {
    this.#options = options
  }

  start(): void {
    const args = [...javaOptions, '-cp', `${places.classes}:${classPath}`, 'StreamsApp', JSON.stringify(this.#options)]
    const child = spawn('java', args, { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{') && line.endsWith('}')) this.#hear(JSON.parse(line) as Line)
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#output.push(line)
      this.#output.splice(0, this.#output.length - 30)
    })
    this.#process = child
  }

  /** What it said last, for an error message. */
  get output(): string {
    return [`state ${this.state}`, ...this.troubles.slice(-5), ...this.#output].join('\n')
  }

  async kill(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }

  #hear({ restored, standby, state, trouble }: Line): void {
    if (restored !== undefined) {
      const [topic, partition, from, records] = restored
      this.restored.push({ topic, partition, from, records })
    } else if (standby !== undefined) this.standbyRecords += standby[2]
    else if (state !== undefined) this.state = state
    else if (trouble !== undefined) this.troubles.push(trouble)
  }
}
