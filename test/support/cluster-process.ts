// Brokers of one cluster, each a process with a disk of its own, that share a table and an object store on this machine.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './answering.ts'
import { BrokerProcess } from './broker-process.ts'

export interface ClusterProcessOptions {
  readonly ids?: readonly number[]
  /** Kafka's broker settings, for all of them. */
  readonly settings?: Readonly<Record<string, string>>
  /** Further flags of one broker, such as where others reach it. */
  flags?(id: number): readonly string[]
  /** `--table` and `--objects`; SQLite and a folder where not given. */
  readonly stores?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where they listen; chosen where not given. */
  readonly ports?: ReadonlyMap<number, number>
}

/** Ports for all of them, so that flags can name them before anybody starts. */
export async function freePorts(ids: readonly number[]): Promise<Map<number, number>> {
  return new Map(await Promise.all(ids.map(async (id) => [id, await freePort()] as const)))
}

export class ClusterProcess {
  /** Holds everything of the cluster's. */
  readonly directory: string
  readonly brokers: ReadonlyMap<number, BrokerProcess>

  private constructor(directory: string, brokers: ReadonlyMap<number, BrokerProcess>) {
    this.directory = directory
    this.brokers = brokers
  }

  static async start(options: ClusterProcessOptions = {}): Promise<ClusterProcess> {
    const { ids = [1, 2, 3], settings = {}, flags = () => [] } = options
    const ports = options.ports ?? (await freePorts(ids))
    const directory = mkdtempSync(join(tmpdir(), 'longtail-cluster-'))
    const shared = options.stores ?? ['--table', `sqlite:${join(directory, 'table.db')}`, '--objects', `file:${join(directory, 'objects')}`]
    const brokers = new Map<number, BrokerProcess>()
    const cluster = new ClusterProcess(directory, brokers)
    const starts = await Promise.allSettled(ids.map(async (id) => {
      brokers.set(id, await BrokerProcess.start({
        port: ports.get(id)!, data: join(directory, `disk-${id}`),
        flags: ['--id', String(id), '--rack', `RACK${id}`, ...shared, ...flags(id)],
        ...(options.env === undefined ? {} : { env: options.env }),
        settings: { 'default.replication.factor': '3', 'min.insync.replicas': '2', ...settings },
      }))
    }))
    const failed = starts.find((start) => start.status === 'rejected')
    if (failed === undefined) return cluster
    await cluster.dispose()
    throw failed.reason
  }

  get tablePath(): string {
    return join(this.directory, 'table.db')
  }

  get objectsPath(): string {
    return join(this.directory, 'objects')
  }

  diskPath(id: number): string {
    return join(this.directory, `disk-${id}`)
  }

  broker(id: number): BrokerProcess {
    const broker = this.brokers.get(id)
    if (broker === undefined) throw new Error(`there is no broker ${id}`)
    return broker
  }

  /** Ends everything and removes it. */
  async dispose(): Promise<void> {
    await Promise.all([...this.brokers.values()].map((broker) => broker.stop('SIGKILL')))
    rmSync(this.directory, { recursive: true, force: true })
  }
}
