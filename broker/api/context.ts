import type { BrokerConfig } from '../cluster/broker-config.ts'
import type { Image } from '../cluster/image.ts'
import type { MetadataLog } from '../cluster/metadata-log.ts'
import type { PartitionAdmin } from '../cluster/partition-admin.ts'
import type { Roster } from '../cluster/roster.ts'
import type { TopicAdmin } from '../cluster/topic-admin.ts'

/** What the handlers that speak of the cluster look at. */
export interface ClusterContext {
  readonly brokerId: number
  readonly clusterId: string
  /** The newest that this broker knows. */
  readonly image: Image
  readonly metadata: MetadataLog
  readonly roster: Roster
  readonly config: BrokerConfig
  readonly topicAdmin: TopicAdmin
  readonly partitionAdmin: PartitionAdmin
}
