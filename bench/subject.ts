// What is measured: a broker, or several as one; how it is started and stopped, and what it costs while it works.

import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ApacheKafka } from '../scripts/peer/apache-kafka.ts'
import { BrokerProcess, type RunningBroker } from '../test/support/broker-process.ts'
import { freePort } from '../test/support/answering.ts'

/** Of transactions alone, since the broker started. */
export interface TableWrites {
  readonly commits: number
  readonly items: number
}

export interface Subject {
  readonly name: string
  readonly bootstrap: string
  /** Processor time of all its threads since it started, in seconds. */
  cpuSeconds(): number
  /** Memory that is resident now, and the most that ever was, in bytes. */
  memory(): { readonly rss: number; readonly peak: number }
  /** Only of brokers that have a table. */
  transactionWrites?(): Promise<TableWrites>
  /** Ends it, and removes its data. */
  dispose(): Promise<void>
}

/** One broker, in one process. */
export interface SingleSubject extends Subject {
  /** Starts the process and does not wait. */
  launch(): void
  stop(): Promise<void>
}

/** Clock ticks per second in /proc; 100 on every Linux there is for these processors. */
const ticksPerSecond = 100

export function cpuSecondsOf(pid: number): number {
  // The command's name is in parentheses and may hold anything, so fields are counted from behind it.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

export function memoryOf(pid: number): { rss: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN)
  return { rss: kilobytes('VmRSS') * 1024, peak: kilobytes('VmHWM') * 1024 }
}

function subject(name: string, broker: RunningBroker & { launch(): void }, directory: string): SingleSubject {
  return {
    name,
    bootstrap: broker.bootstrap,
    launch: () => broker.launch(),
    stop: () => broker.stop(),
    cpuSeconds: () => cpuSecondsOf(broker.pid),
    memory: () => memoryOf(broker.pid),
    async dispose() {
      await broker.stop('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Nothing goes to the object store, as in Kafka unless it is told to. */
export const untiered = ['--set', 'log.remote.storage.enable=false']

export type Durability = 'fsync' | 'replicated'

export async function longtail(root: string, durability: Durability, { isTiered = true } = {}): Promise<SingleSubject> {
  const directory = join(root, `longtail-${durability}`)
  mkdirSync(directory, { recursive: true })
  const http = `127.0.0.1:${await freePort()}`
  const flags = ['--durability', durability, '--http', http, ...(isTiered ? [] : untiered)]
  const broker = await BrokerProcess.start({ data: directory, flags })
  return { ...subject(`Longtail (${durability})`, broker, directory), transactionWrites: () => transactionWrites(http) }
}

async function transactionWrites(http: string): Promise<TableWrites> {
  const text = await (await fetch(`http://${http}/metrics`)).text()
  const value = (metric: string) => Number(text.split('\n').find((line) => line.startsWith(metric))?.split(' ').at(-1) ?? 0)
  return {
    commits: value('longtail_table_calls_total{call="commit",about="txns"}'), items: value('longtail_table_items_written_total{about="txns"}'),
  }
}

export async function apacheKafka(root: string): Promise<SingleSubject> {
  const directory = join(root, 'apache-kafka')
  const broker = new ApacheKafka({
    directory, port: await freePort(), controllerPort: await freePort(), settings: { 'group.initial.rebalance.delay.ms': '3000' },
  })
  await broker.start()
  return subject('Apache Kafka', broker, directory)
}
