// What this broker coordinates, put together: groups, transactions, and how they ask others.

import type { Router } from './api/router.ts'
import type { Runtime } from './broker.ts'
import type { BrokerConfig } from './cluster/broker-config.ts'
import type { Image } from './cluster/image.ts'
import type { MetadataLog } from './cluster/metadata-log.ts'
import { ProducerIds } from './cluster/producer-ids.ts'
import type { ClusterMember } from './cluster-member.ts'
import type { Config } from './config.ts'
import { coordinatorDirectory, groupSettingsOf, openEnlister, topicsOf } from './coordination.ts'
import type { CoordinatorDirectory } from './coordinator/directory.ts'
import { Groups } from './coordinator/groups.ts'
import type { Transactions } from './coordinator/transactions/transactions.ts'
import { limits } from './limits.ts'
import { Asking, openTransactions } from './transaction-coordination.ts'

interface Coordination {
  readonly metadata: MetadataLog
  readonly brokerConfig: BrokerConfig
  readonly member: ClusterMember
  router(): Router
}

export function openCoordinators(config: Config, runtime: Runtime, { metadata, brokerConfig, member, router }: Coordination) {
  const { clock, table } = runtime
  const directory = coordinatorDirectory({
    brokerId: config.id, image: () => metadata.image, hasSession: member.around.hasSession, othersKnow: () => member.othersKnow(),
  })
  const producerIds = new ProducerIds({ table, ...limits.producerIds })
  const asking = new Asking({ clock, brokerId: config.id, member, router })
  const groups = openGroups(runtime, { metadata, brokerConfig, directory })
  const transactions = openTransactions({ ...runtime, metadata, brokerConfig, directory, producerIds, asking })
  const enlister = openEnlister({ clock, directory, ask: asking.ask })
  followOwners(metadata, { groups, transactions })
  return { directory, producerIds, asking, enlister, groups, transactions }
}

function openGroups(
  { table, clock, random, logger, rules }: Runtime,
  { metadata, brokerConfig, directory }: { metadata: MetadataLog; brokerConfig: BrokerConfig; directory: CoordinatorDirectory },
): Groups {
  return new Groups({
    table, clock, random, logger, directory, topics: topicsOf(metadata), limits: limits.groups, rules,
    settings: groupSettingsOf(brokerConfig, () => metadata.image),
  })
}

/** Coordinators let go of what others own by now, and look for what is theirs; from now on. */
function followOwners(metadata: MetadataLog, { groups, transactions }: { groups: Groups; transactions: Transactions }): void {
  let { brokers } = metadata.image
  metadata.onChange((image) => {
    if (!hasSameServing(brokers, image.brokers)) {
      groups.releaseForeign()
      transactions.ownersChanged()
    }
    brokers = image.brokers
  })
  groups.start()
  transactions.start()
}

function hasSameServing(before: Image['brokers'], after: Image['brokers']): boolean {
  if (before.size !== after.size) return false
  return [...after].every(([id, { brokerEpoch, isFenced }]) => {
    const known = before.get(id)
    return known?.brokerEpoch === brokerEpoch && known.isFenced === isFenced
  })
}
