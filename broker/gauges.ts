import type { Broker } from './broker.ts'
import type { Image } from './cluster/image.ts'
import { isMoving } from './cluster/reassignment.ts'
import type { Metrics } from './metrics.ts'
import { ErrorCode } from './protocol/error-code.ts'
import type { CompactionMetrics } from './tier/compaction/compaction-figures.ts'
import type { LeaderTerm } from './replication/leader-term.ts'
import type { Partition } from './replication/partition.ts'

type AddGauge = (name: string, help: string, read: () => number | Promise<number>) => void

/** What /metrics shows of a broker's state; read when it is asked for. */
export function addGauges(metrics: Metrics, broker: Broker): void {
  const gauge: AddGauge = (name, help, read) => metrics.gauge({ name: `longtail_${name}`, help, read })
  gauge('connections', 'Connections that stand', () => broker.connections)
  gauge('partitions', 'Partitions that are served', () => broker.partitionCounts.online)
  gauge('partitions_offline', 'Partitions that could not be opened, or whose log has stopped', () => broker.partitionCounts.offline)
  const led = (isSo: (term: LeaderTerm) => boolean) =>
    [...broker.partitions].filter(({ term }) => term !== undefined && isSo(term)).length
  gauge('partitions_led', 'Partitions that this broker leads', () => led(() => true))
  gauge('partitions_under_replicated', 'Of those, with fewer in sync than there are replicas', () =>
    led(({ state: { isr, replicas } }) => isr.length < replicas.length))
  gauge('partitions_under_min_isr', 'Of those, with too few in sync to take writes', () =>
    led((term) => term.refusal(-1) !== ErrorCode.NONE))
  gauge('controller', '1 where this broker looks after the cluster', () => Number(broker.isController))
  gauge('partitions_moving', 'Partitions of the cluster that are being reassigned', () =>
    [...broker.image.topics.values()].flatMap(({ partitions }) => partitions).filter(isMoving).length)
  metrics.gauge({
    name: 'longtail_broker_replicas', help: 'Replicas of each broker of the cluster, those on their way out among them',
    read: () => [...replicaCounts(broker.image)].map(([id, value]) => ({ labels: { broker: String(id) }, value })),
  })
  gauge('session_held', '1 where this broker\'s session holds', () => Number(broker.hasSession))
  addTransactionGauges(gauge, broker.transactions)
  gauge('hot_bytes', 'Bytes of recent batches that are kept in memory', () => broker.hotBytes)
  gauge('tier_uploaded_bytes', 'Bytes uploaded since the start', () => broker.tierMetrics.uploadedBytes)
  gauge('tier_uploaded_segments', 'Segments uploaded since the start', () => broker.tierMetrics.uploadedSegments)
  gauge('tier_upload_errors', 'Uploads that failed since the start', () => broker.tierMetrics.uploadErrors)
  gauge('tier_lag_bytes', 'Bytes that are sealed and not in the object store', () => broker.tierMetrics.lagBytes)
  gauge('tier_lag_segments', 'Segments that are sealed and not in the object store', () => broker.tierMetrics.lagSegments)
  gauge('tier_lag_seconds', 'Age of the oldest of those', () => broker.tierMetrics.lagMs / 1000)
  addTierCompactionGauges(gauge, broker)
  gauge('tier_cache_hits', 'Blocks of objects that were found in the cache', async () => (await broker.tierCounts()).cacheHits)
  gauge('tier_cache_misses', 'Blocks of objects that had to be fetched', async () => (await broker.tierCounts()).cacheMisses)
  gauge('tier_fetched_bytes', 'Bytes fetched from the object store since the start', async () => (await broker.tierCounts()).fetchedBytes)
  gauge('tier_cache_bytes', 'Bytes of the cache on disk', async () => (await broker.tierCounts()).cachedFileBytes)
  addCompactionGauges(gauge, broker)
  const perPartition = (name: string, help: string, read: (partition: Partition) => number) => metrics.gauge({
    name: `longtail_${name}`, help,
    read: () => [...broker.partitions].map((partition) => ({
      labels: { topic: partition.topicName, partition: String(partition.partition) }, value: read(partition),
    })),
  })
  perPartition('log_bytes', 'Bytes on local disk', (partition) => partition.log.bytes)
  perPartition('log_segments', 'Segments on local disk', (partition) => partition.log.segmentCount)
  perPartition('log_start_offset', 'The first offset that can be read', (partition) => partition.logStartOffset)
  perPartition('in_sync_replicas', 'In-sync replicas, where this broker leads; else 0', ({ term }) => term?.state.isr.length ?? 0)
  perPartition('high_watermark', 'The first offset that cannot be read yet', (partition) => partition.highWatermark)
  perPartition('tier_bytes', 'Bytes in the object store', (partition) => partition.tier?.bytes ?? 0)
}

function addTransactionGauges(gauge: AddGauge, transactions: Broker['transactions']): void {
  gauge('transactional_ids', 'Transactional ids that this broker coordinates and has in memory', () => transactions.size)
  gauge('transactions_open', 'Of those, with an open transaction', () => transactions.openCount)
  gauge('transactions_timed_out', 'Transactions that were aborted since the start because their time was over', () =>
    transactions.timeoutCount)
  gauge('transaction_markers_waiting', 'Partitions and groups that are still to be told how a transaction has ended', () =>
    transactions.untoldCount)
}

function addTierCompactionGauges(gauge: AddGauge, broker: Broker): void {
  const of = (name: string, help: string, figure: keyof CompactionMetrics) =>
    gauge(`tier_compaction_${name}`, help, () => broker.compactionMetrics[figure])
  of('running', 'Passes of compaction in the object store that are under way', 'running')
  of('passes', 'Passes that came to their end since the start', 'passes')
  of('failures', 'Passes that failed since the start', 'failures')
  of('bytes_in', 'Bytes of batches that passes replaced', 'bytesIn')
  of('bytes_out', 'Bytes of batches that came in their place', 'bytesOut')
  of('objects_in', 'Objects that passes replaced', 'objectsIn')
  of('objects_out', 'Objects that came in their place', 'objectsOut')
  of('records_dropped', 'Records that passes dropped', 'recordsDropped')
  gauge('tier_compaction_seconds', 'Seconds that passes took', () => broker.compactionMetrics.tookMs / 1000)
  gauge('tier_compaction_ratio', 'What passes left of the bytes that they replaced, 0 to 1', () => {
    const { bytesIn, bytesOut } = broker.compactionMetrics
    return bytesIn === 0 ? 0 : bytesOut / bytesIn
  })
}

function addCompactionGauges(gauge: AddGauge, { cleaner }: Broker): void {
  gauge('compaction_passes', 'Compactions of local logs since the start', () => cleaner.counts.passes)
  gauge('compaction_failures', 'Compactions of local logs that failed or were given up', () => cleaner.counts.failures)
  gauge('compaction_read_bytes', 'Bytes read by compaction of local logs', () => cleaner.counts.bytesRead)
  gauge('compaction_written_bytes', 'Bytes that stayed in compacted local logs', () => cleaner.counts.bytesWritten)
  gauge('compaction_dropped_records', 'Records that compaction has taken from local logs', () => cleaner.counts.recordsDropped)
  gauge('compaction_seconds', 'Time that compaction of local logs took', () => cleaner.counts.ms / 1000)
  gauge('compaction_last_age_seconds', 'Since the last compaction of a local log; -1 before the first', () => cleaner.lastPassAgeMs / 1000)
  gauge('compaction_map_fill', 'Of the memory for keys, what the last compaction used; 0 to 1', () => cleaner.counts.mapFill)
  gauge('compaction_dirty_ratio_max', 'Of the dirtiest local log that waits, 0 to 1', () => cleaner.dirtyRatioMax)
}

function replicaCounts(image: Image): Map<number, number> {
  const counts = new Map([...image.brokers.keys()].map((id) => [id, 0]))
  for (const { partitions } of image.topics.values()) {
    for (const id of partitions.flatMap(({ replicas }) => replicas)) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}
