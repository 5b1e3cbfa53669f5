// Three brokers that are measured as one, and of which any can be taken away.

import { join } from 'node:path'
import { rmSync } from 'node:fs'
import { ApacheKafkaCluster } from '../scripts/peer/apache-kafka-cluster.ts'
import type { RunningBroker } from '../test/support/broker-process.ts'
import { ClusterProcess } from '../test/support/cluster-process.ts'
import { cpuSecondsOf, type Durability, memoryOf, type Subject, untiered } from './subject.ts'

export interface ClusterSubject extends Subject {
  readonly addresses: readonly string[]
  /** SIGKILL, or SIGTERM and its end awaited. */
  end(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  restart(id: number): Promise<void>
}

type Brokers = ReadonlyMap<number, RunningBroker>

function subject(name: string, brokers: Brokers, dispose: () => Promise<void>): ClusterSubject {
  const all = [...brokers.values()]
  const broker = (id: number): RunningBroker => {
    const found = brokers.get(id)
    if (found === undefined) throw new Error(`${name} has no broker ${id}`)
    return found
  }
  // A process that was ended takes its time with it, so nothing is counted over an end.
  const sum = (of: (pid: number) => number): number => all.reduce((total, { pid }) => total + of(pid), 0)
  return {
    name,
    addresses: all.map(({ bootstrap }) => bootstrap),
    bootstrap: all.map(({ bootstrap }) => bootstrap).join(','),
    cpuSeconds: () => sum(cpuSecondsOf),
    memory: () => ({ rss: sum((pid) => memoryOf(pid).rss), peak: sum((pid) => memoryOf(pid).peak) }),
    end: (id, signal) => broker(id).stop(signal),
    restart: async (id) => void (await broker(id).start()),
    dispose,
  }
}

/** Three replicas, of which two must have a record before it is acknowledged; as Kafka is run where nothing may be lost. */
const replication = { 'default.replication.factor': '3', 'min.insync.replicas': '2' }

export async function longtailCluster(durability: Durability, { isTiered = true } = {}): Promise<ClusterSubject> {
  const cluster = await ClusterProcess.start({
    settings: replication, flags: () => ['--durability', durability, ...(isTiered ? [] : untiered)],
  })
  return subject(`Longtail (${durability})`, cluster.brokers, () => cluster.dispose())
}

export async function apacheKafkaCluster(root: string): Promise<ClusterSubject> {
  const directory = join(root, 'apache-kafka-cluster')
  const cluster = await ApacheKafkaCluster.create({ directory, settings: { 'group.initial.rebalance.delay.ms': '3000' } })
  await cluster.start()
  return subject('Apache Kafka', cluster.brokers, async () => {
    await cluster.stop('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
}
