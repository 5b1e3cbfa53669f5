import type { Image } from '../cluster/image.ts'
import type { Partitions } from '../replication/partitions.ts'
import type { Clock } from '../runtime/clock.ts'

/** What the handlers that append to and read from partitions look at. */
export interface PartitionContext {
  readonly brokerId: number
  readonly clock: Clock
  /** The newest that this broker knows. */
  readonly image: Image
  readonly partitions: Partitions
}
