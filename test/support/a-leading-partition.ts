import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { Partition } from '../../broker/replication/partition.ts'
import type { Clock } from '../../broker/runtime/clock.ts'

/** A partition that its only replica leads. */
export async function aLeadingPartition(
  of: { readonly topicId: string; readonly log: PartitionLog; readonly clock: Clock; readonly leaderEpoch: number },
): Promise<Partition> {
  const { topicId, log, clock, leaderEpoch } = of
  const partition = new Partition({
    topicId, topicName: 'orders', partition: 0, log, brokerId: 1, onOutOfSync() {}, onRole() {},
    around: { clock, minIsr: () => 1, lagMsMax: () => 10_000, isAlive: () => true, hasSession: () => true },
  })
  await partition.assume({ partition: 0, leader: 1, leaderEpoch, partitionEpoch: 0, replicas: [1], isr: [1], elr: [] })
  return partition
}
