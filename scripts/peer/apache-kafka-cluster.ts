// Apache Kafka brokers that are one cluster (KRaft), each a process with a directory of its own and a vote in the
// quorum, as many as somebody compares with. Topics have Kafka's defaults of a cluster: three replicas, of which two
// must be in sync. Each broker stands in a rack of its own, with the name that librdkafka's tests expect.

import { join } from 'node:path'
import { freePorts } from '../../test/support/cluster-process.ts'
import { ApacheKafka, type ApacheKafkaOptions, randomId } from './apache-kafka.ts'

export interface ApacheKafkaClusterOptions extends Pick<ApacheKafkaOptions, 'settings' | 'heap'> {
  /** Holds a directory for each broker. */
  readonly directory: string
  /** 1, 2 and 3 where not given. */
  readonly ids?: readonly number[]
  /** Where they serve clients; chosen where not given. */
  readonly ports?: ReadonlyMap<number, number>
}

/** As many replicas as there are brokers, but not more than Kafka's three, and one of them may be away. */
function replication(brokerCount: number): Record<string, string> {
  const factor = String(Math.min(3, brokerCount))
  const inSyncMin = String(Math.min(2, brokerCount))
  return {
    'default.replication.factor': factor,
    'min.insync.replicas': inSyncMin,
    'offsets.topic.replication.factor': factor,
    'transaction.state.log.replication.factor': factor,
    'transaction.state.log.min.isr': inSyncMin,
    'share.coordinator.state.topic.replication.factor': factor,
    'share.coordinator.state.topic.min.isr': inSyncMin,
  }
}

export class ApacheKafkaCluster {
  readonly brokers: ReadonlyMap<number, ApacheKafka>

  private constructor(brokers: ReadonlyMap<number, ApacheKafka>) {
    this.brokers = brokers
  }

  /** Formats their directories and starts nothing. */
  static async create(options: ApacheKafkaClusterOptions): Promise<ApacheKafkaCluster> {
    const { directory, ids = [1, 2, 3], settings, heap } = options
    const ports = options.ports ?? (await freePorts(ids))
    const controllerPorts = await freePorts(ids)
    const voters = ids.map((id) => ({ id, port: controllerPorts.get(id)!, directoryId: randomId() }))
    const quorum = { clusterId: randomId(), voters }
    const broker = (id: number) => new ApacheKafka({
      directory: join(directory, `broker-${id}`), id, quorum,
      port: ports.get(id)!, controllerPort: controllerPorts.get(id)!,
      settings: { ...replication(ids.length), 'broker.rack': `RACK${id}`, ...settings },
      ...(heap === undefined ? {} : { heap }),
    })
    return new ApacheKafkaCluster(new Map(ids.map((id) => [id, broker(id)])))
  }

  /** Of all brokers, whether they run or not. */
  get bootstrap(): string {
    return [...this.brokers.values()].map(({ bootstrap }) => bootstrap).join(',')
  }

  /** By broker; only while all of them run. */
  get pids(): ReadonlyMap<number, number> {
    return new Map([...this.brokers].map(([id, { pid }]) => [id, pid]))
  }

  /** To stop or kill one, and to start it again. */
  broker(id: number): ApacheKafka {
    const broker = this.brokers.get(id)
    if (broker === undefined) throw new Error(`there is no broker ${id}`)
    return broker
  }

  /** All at once: none of them answers before there is a quorum. */
  async start(): Promise<this> {
    const starts = await Promise.allSettled([...this.brokers.values()].map((broker) => broker.start()))
    const failed = starts.find((start) => start.status === 'rejected')
    if (failed === undefined) return this
    await this.stop('SIGKILL')
    throw failed.reason
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all([...this.brokers.values()].map((broker) => broker.stop(signal)))
  }
}
