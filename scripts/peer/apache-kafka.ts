// One Apache Kafka broker (KRaft, broker and controller in one process) with a data directory of its own, for as long
// as somebody compares with it. apache-kafka-cluster.ts makes several of them one cluster.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { answering } from '../../test/support/answering.ts'
import { kafkaClientsJar } from './cache.ts'
import { classPath, toolArguments } from './kafka-tools.ts'

/** A controller that votes from the first start on. */
export interface Voter {
  readonly id: number
  readonly port: number
  /** Kafka wants to know each voter by its disk as well (KIP-853). */
  readonly directoryId: string
}

/** What all brokers of a cluster are formatted with. */
export interface Quorum {
  readonly clusterId: string
  readonly voters: readonly Voter[]
}

export interface ApacheKafkaOptions {
  readonly directory: string
  /** 1 where not given. */
  readonly id?: number
  /** Itself alone where not given; else it votes in it, under its id, on its controller's port. */
  readonly quorum?: Quorum
  /** For clients. */
  readonly port: number
  /** One above the other where not given. */
  readonly controllerPort?: number
  /** Broker settings over those below. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of the JVM; 1 GiB where not given, as Kafka's own start script has. */
  readonly heap?: string
}

/** In the form of Kafka's own ids. One that begins with a dash would be read as a flag. */
export function randomId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A')
}

type Member = Required<Pick<ApacheKafkaOptions, 'id' | 'quorum' | 'controllerPort'>> & ApacheKafkaOptions

function member(options: ApacheKafkaOptions): Member {
  const { id = 1, controllerPort = options.port + 1 } = options
  const alone = () => ({ clusterId: randomId(), voters: [{ id, port: controllerPort, directoryId: randomId() }] })
  return { ...options, id, controllerPort, quorum: options.quorum ?? alone() }
}

/** Kafka's own defaults, but for what a single broker needs and what the suites of clients expect. */
function properties({ directory, id, quorum, port, controllerPort, settings }: Member): string {
  const all = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.bootstrap.servers': quorum.voters.map((voter) => `127.0.0.1:${voter.port}`).join(','),
    'listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(directory, 'data'),
    'num.partitions': '4',
    'auto.create.topics.enable': 'true',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    ...settings,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Kafka's default flags of its start script. */
const jvm = [
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-Djava.awt.headless=true',
]

export class ApacheKafka {
  readonly bootstrap: string
  readonly #options: Member
  #process: ChildProcess | undefined

  /** The directory is formatted unless it was before. */
  constructor(options: ApacheKafkaOptions) {
    if (!existsSync(kafkaClientsJar)) throw new Error(`${kafkaClientsJar} is missing: run node scripts/peer/setup.ts`)
    this.#options = member(options)
    this.bootstrap = `127.0.0.1:${options.port}`
    this.#format()
  }

  get pid(): number {
    const pid = this.#process?.pid
    if (pid === undefined) throw new Error('Apache Kafka is not running')
    return pid
  }

  #format(): void {
    const { directory, quorum } = this.#options
    mkdirSync(directory, { recursive: true })
    const config = join(directory, 'server.properties')
    writeFileSync(config, properties(this.#options))
    if (existsSync(join(directory, 'data', 'meta.properties'))) return
    const voters = quorum.voters.map(({ id, port, directoryId }) => `${id}@127.0.0.1:${port}:${directoryId}`).join(',')
    const format = ['format', '--initial-controllers', voters, '-t', quorum.clusterId, '-c', config]
    const run = spawnSync('java', toolArguments('kafka-storage', format), { encoding: 'utf8' })
    if (run.status !== 0) throw new Error(`kafka-storage format failed: ${run.stdout}${run.stderr}`)
  }

  /** Starts the process and does not wait for it to answer. */
  launch(): void {
    const { directory, heap = '1G' } = this.#options
    const log = openSync(join(directory, 'server.log'), 'a')
    const logging = fileURLToPath(new URL('broker-logging.yaml', import.meta.url))
    this.#process = spawn(
      'java',
      [
        `-Xmx${heap}`,
        `-Xms${heap}`,
        ...jvm,
        `-Dkafka.logs.dir=${directory}`,
        `-Dlog4j2.configurationFile=${logging}`,
        '-cp',
        classPath,
        'kafka.Kafka',
        join(directory, 'server.properties'),
      ],
      { stdio: ['ignore', log, log] },
    )
  }

  async start(): Promise<this> {
    this.launch()
    const ended = new Promise<never>((_, reject) => {
      this.#process!.once('exit', (code) =>
        reject(new Error(`Apache Kafka ended with ${code}; see ${this.#options.directory}/server.log`)),
      )
    })
    ended.catch(() => {})
    await Promise.race([answering(this.#options.port, { withinMs: 120_000 }), ended])
    return this
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const exited = new Promise((resolve) => running.once('exit', resolve))
    running.kill(signal)
    const force = setTimeout(() => running.kill('SIGKILL'), 30_000)
    await exited
    clearTimeout(force)
  }
}
