import type { Image } from '../cluster/image.ts'
import type { Enlister } from '../coordinator/enlister.ts'
import type { Partition } from '../replication/partition.ts'
import type { Partitions } from '../replication/partitions.ts'
import type { Clock } from '../runtime/clock.ts'
import type { TurnedAway } from './turned-away.ts'

/** What the handlers that append to and read from partitions look at. */
export interface PartitionContext {
  readonly brokerId: number
  readonly clock: Clock
  /** The newest that this broker knows. */
  readonly image: Image
  readonly partitions: Partitions
  readonly turnedAway: TurnedAway
  readonly enlister: Enlister
  /** Resolves once the other brokers go by what this one changed, or a moment later. */
  othersKnow(): Promise<void>
  /** The disk did not give what a client asked for; the client is told KAFKA_STORAGE_ERROR. */
  onUnreadable?(partition: Partition, cause: Error): void
  /** Disk or tier did not take note of a deletion, or nobody knows; the client is told KAFKA_STORAGE_ERROR, and asks again. */
  onNotDeleted?(partition: Partition, cause: Error): void
}
