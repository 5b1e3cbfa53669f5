// Every API that this broker serves. What is not in this list is not advertised.

import { addGroupToTxn } from './api/add-group-to-txn.ts'
import { addOffsetsToTxn } from './api/add-offsets-to-txn.ts'
import { addPartitionsToTxn } from './api/add-partitions-to-txn.ts'
import { alterConfigs } from './api/alter-configs.ts'
import { alterPartitionReassignments } from './api/alter-partition-reassignments.ts'
import { apiVersions } from './api/api-versions.ts'
import type { ClusterContext } from './api/context.ts'
import { consumerGroupDescribe } from './api/consumer-group-describe.ts'
import { consumerGroupHeartbeat } from './api/consumer-group-heartbeat.ts'
import { createPartitions } from './api/create-partitions.ts'
import { createTopics } from './api/create-topics.ts'
import { deleteGroups } from './api/delete-groups.ts'
import { deleteRecords } from './api/delete-records.ts'
import { deleteTopics } from './api/delete-topics.ts'
import { describeCluster } from './api/describe-cluster.ts'
import { describeConfigs } from './api/describe-configs.ts'
import { describeGroups } from './api/describe-groups.ts'
import { describeLogDirs, type LogDirectory } from './api/describe-log-dirs.ts'
import { describeProducers } from './api/describe-producers.ts'
import { describeTopicPartitions } from './api/describe-topic-partitions.ts'
import { describeTransactions } from './api/describe-transactions.ts'
import { electLeaders } from './api/elect-leaders.ts'
import { endTxnOffsets } from './api/end-txn-offsets.ts'
import { endTxn } from './api/end-txn.ts'
import { fetch, type FetchContext } from './api/fetch.ts'
import { findCoordinator } from './api/find-coordinator.ts'
import type { Handler } from './api/handler.ts'
import { heartbeat } from './api/heartbeat.ts'
import { incrementalAlterConfigs } from './api/incremental-alter-configs.ts'
import { initProducerId } from './api/init-producer-id.ts'
import { joinGroup } from './api/join-group.ts'
import { leaveGroup } from './api/leave-group.ts'
import { listConfigResources } from './api/list-config-resources.ts'
import { listGroups } from './api/list-groups.ts'
import { listOffsets } from './api/list-offsets.ts'
import { listPartitionReassignments } from './api/list-partition-reassignments.ts'
import { listTransactions } from './api/list-transactions.ts'
import { metadata } from './api/metadata.ts'
import { metadataHint } from './api/metadata-hint.ts'
import { offsetCommit } from './api/offset-commit.ts'
import { offsetDelete } from './api/offset-delete.ts'
import { offsetFetch } from './api/offset-fetch.ts'
import { offsetForLeaderEpoch } from './api/offset-for-leader-epoch.ts'
import { produce } from './api/produce.ts'
import { syncGroup } from './api/sync-group.ts'
import { txnOffsetCommit } from './api/txn-offset-commit.ts'
import { unregisterBroker } from './api/unregister-broker.ts'
import { writeTxnMarkers } from './api/write-txn-markers.ts'
import type { CoordinatorDirectory } from './coordinator/directory.ts'
import type { Groups } from './coordinator/groups.ts'
import type { Transactions } from './coordinator/transactions/transactions.ts'
import type { ProducerIds } from './cluster/producer-ids.ts'
import { limits } from './limits.ts'
import type { Api } from './protocol/schema.ts'

export interface Served {
  readonly cluster: ClusterContext
  readonly partitions: FetchContext
  readonly producerIds: ProducerIds
  readonly groups: Groups
  readonly transactions: Transactions
  readonly coordinators: CoordinatorDirectory
  readonly logDirectory: LogDirectory
  /** Another broker says that the metadata has changed. Resolves once that is known here, or a while later. */
  onHint(sequence: number): Promise<void>
  /** What the router has handlers for, this list included. */
  apis(): readonly Api[]
}

export function handlersOf(served: Served): readonly Handler[] {
  const { cluster, partitions, producerIds, groups, transactions, coordinators } = served
  const handlers = [
    produce(partitions), fetch(partitions), listOffsets(partitions), offsetForLeaderEpoch(partitions),
    deleteRecords(partitions), describeProducers(partitions), describeLogDirs(partitions, served.logDirectory),
    metadata(cluster), describeCluster(cluster),
    describeTopicPartitions(cluster, { partitionsPerPageMax: limits.metadata.partitionsPerPageMax }),
    createTopics(cluster), deleteTopics(cluster), createPartitions(cluster),
    alterPartitionReassignments(cluster), listPartitionReassignments(cluster), electLeaders(cluster), unregisterBroker(cluster),
    describeConfigs(cluster), alterConfigs(cluster), incrementalAlterConfigs(cluster), listConfigResources(cluster),
    initProducerId(producerIds, transactions),
    addPartitionsToTxn(transactions), addOffsetsToTxn(transactions), addGroupToTxn(transactions), endTxn(transactions),
    describeTransactions(transactions), listTransactions(transactions, partitions.clock),
    findCoordinator(coordinators),
    joinGroup(groups), syncGroup(groups), heartbeat(groups), leaveGroup(groups),
    consumerGroupHeartbeat(groups), consumerGroupDescribe(groups),
    offsetCommit(groups), offsetFetch(groups), offsetDelete(groups),
    txnOffsetCommit(groups, partitions.enlister), endTxnOffsets(groups),
    writeTxnMarkers(partitions, { timeoutMs: limits.replication.markerTimeoutMs }),
    listGroups(groups), describeGroups(groups), deleteGroups(groups),
    metadataHint((sequence) => served.onHint(sequence)),
    apiVersions(served.apis),
  ]
  // A handler's own types are those of its API; the router finds it by that API's key.
  return handlers as unknown as readonly Handler[]
}
