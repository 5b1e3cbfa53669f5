import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApacheKafkaCluster } from '../../scripts/peer/apache-kafka-cluster.ts'
import type { RunningBroker } from '../support/broker-process.ts'
import { ClusterProcess } from '../support/cluster-process.ts'
import { consumerGroupSettings } from '../support/test-broker.ts'

export interface KillableCluster {
  readonly brokers: ReadonlyMap<number, RunningBroker>
  readonly addresses: readonly string[]
  dispose(): Promise<void>
}

/** By itself Apache Kafka looks every ten seconds for transactions that are over their time. */
const promptness = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000' }

/** As many brokers as are asked for, ours or Apache Kafka's, each of which can be killed and started again. */
export async function startCluster(
  { brokers: count, isApacheKafka }: { readonly brokers: number; readonly isApacheKafka: boolean },
): Promise<KillableCluster> {
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  const settings = {
    ...consumerGroupSettings, 'default.replication.factor': String(Math.min(3, count)), 'min.insync.replicas': String(Math.min(2, count)),
  }
  if (!isApacheKafka) {
    const cluster = await ClusterProcess.start({ ids, settings })
    return { brokers: cluster.brokers, addresses: [...cluster.brokers.values()].map(({ bootstrap }) => bootstrap), dispose: () => cluster.dispose() }
  }
  const directory = mkdtempSync(join(tmpdir(), 'apache-kafka-'))
  const cluster = await (await ApacheKafkaCluster.create({ directory, ids, heap: '512M', settings: { ...settings, ...promptness } })).start()
  return {
    brokers: cluster.brokers, addresses: [...cluster.brokers.values()].map(({ bootstrap }) => bootstrap),
    async dispose() {
      await cluster.stop('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
