// Brokers of Apache Kafka that are one cluster: each is broker and controller in one process, as small clusters are run.

import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../test/support/answering.ts'
import { ApacheKafka } from './apache-kafka.ts'

export interface ApacheKafkaClusterOptions {
  readonly directory: string
  readonly ids?: readonly number[]
  /** Broker settings over Kafka's own, for all of them. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of each JVM; 1 GiB where not given. */
  readonly heap?: string
}

/** What a cluster has by default, and a single broker cannot have. */
const replicated = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'share.coordinator.state.topic.replication.factor': '3',
  'share.coordinator.state.topic.min.isr': '2',
}

const uuid = (): string => randomBytes(16).toString('base64url').replace(/^-/, 'A')

export class ApacheKafkaCluster {
  readonly brokers: ReadonlyMap<number, ApacheKafka>

  private constructor(brokers: ReadonlyMap<number, ApacheKafka>) {
    this.brokers = brokers
  }

  /** Resolves when every broker answers. */
  static async start(options: ApacheKafkaClusterOptions): Promise<ApacheKafkaCluster> {
    const { directory, ids = [1, 2, 3], settings = {}, heap } = options
    mkdirSync(directory, { recursive: true })
    const places = await Promise.all(ids.map(async (id) => (
      { id, directoryId: uuid(), port: await freePort(), controllerPort: await freePort() }
    )))
    const voters = places.map(({ id, controllerPort, directoryId }) => `${id}@127.0.0.1:${controllerPort}:${directoryId}`).join(',')
    const bootstrapServers = places.map(({ controllerPort }) => `127.0.0.1:${controllerPort}`).join(',')
    const clusterId = uuid()
    const brokers = new Map(places.map(({ id, port, controllerPort }) => [id, new ApacheKafka({
      directory: join(directory, `broker-${id}`), port, controllerPort, clusterId, voters,
      ...(heap === undefined ? {} : { heap }),
      settings: {
        ...replicated, 'node.id': String(id), 'broker.rack': `rack-${id}`,
        'controller.quorum.bootstrap.servers': bootstrapServers, ...settings,
      },
    })]))
    const cluster = new ApacheKafkaCluster(brokers)
    try {
      await Promise.all([...brokers.values()].map((broker) => broker.start()))
    } catch (cause) {
      await cluster.stop('SIGKILL')
      throw cause
    }
    return cluster
  }

  get bootstrap(): string {
    return [...this.brokers.values()].map(({ bootstrap }) => bootstrap).join(',')
  }

  broker(id: number): ApacheKafka {
    const broker = this.brokers.get(id)
    if (broker === undefined) throw new Error(`there is no broker ${id}`)
    return broker
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all([...this.brokers.values()].map((broker) => broker.stop(signal)))
  }
}
