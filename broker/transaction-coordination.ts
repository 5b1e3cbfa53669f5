// The transaction coordinator of a broker, put together: what it looks at of the cluster, and how it reaches others.

import type { BrokerConfig } from './cluster/broker-config.ts'
import type { MetadataLog } from './cluster/metadata-log.ts'
import type { ProducerIds } from './cluster/producer-ids.ts'
import type { Rules } from './runtime/rules.ts'
import type { ClusterMember } from './cluster-member.ts'
import { topicsOf } from './coordination.ts'
import type { CoordinatorDirectory } from './coordinator/directory.ts'
import { audienceOf } from './coordinator/transactions/audience.ts'
import type { Lane } from './coordinator/transactions/ending.ts'
import type { TransactionSettings } from './coordinator/transactions/transaction-settings.ts'
import { Transactions } from './coordinator/transactions/transactions.ts'
import { limits } from './limits.ts'
import { anyBroker } from './net/any-broker.ts'
import type { AskBroker } from './net/ask-broker.ts'
import { BrokerLinks } from './net/broker-links.ts'
import type { Router } from './api/router.ts'
import type { Clock } from './runtime/clock.ts'
import type { Logger } from './runtime/logger.ts'
import type { Random } from './runtime/random.ts'
import type { Table } from './table/table.ts'

export interface AskingOptions {
  readonly clock: Clock
  readonly brokerId: number
  readonly member: Pick<ClusterMember, 'connect'>
  router(): Router
}

/** How this broker asks any, itself among them: each kind of question over connections of its own, for some wait long. */
export class Asking {
  /** What is answered soon. */
  readonly ask: AskBroker
  readonly #links: ReadonlyMap<Lane | 'short', BrokerLinks>
  readonly #lanes: ReadonlyMap<Lane | 'short', AskBroker>

  constructor({ clock, brokerId, member, router }: AskingOptions) {
    const { first, again, group } = limits.transactions.telling.requestsMax
    const links = Object.entries({ first, again, group, short: limits.peers.askLinksMax }).map(([lane, linksMax]) =>
      [lane as Lane | 'short', new BrokerLinks({ linksMax, connect: (id) => member.connect(id) })] as const)
    this.#links = new Map(links)
    this.#lanes = new Map(links.map(([lane, one]) => {
      const others: AskBroker = (id, api, request, options) => one.ask(id, api, request, options)
      return [lane, anyBroker({ clock, brokerId, router, others })]
    }))
    this.ask = this.over('short')
  }

  over(lane: Lane | 'short'): AskBroker {
    return this.#lanes.get(lane)!
  }

  close(): void {
    for (const links of this.#links.values()) links.close()
  }
}

export interface TransactionParts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly table: Table
  readonly metadata: MetadataLog
  readonly brokerConfig: BrokerConfig
  readonly directory: CoordinatorDirectory
  readonly producerIds: ProducerIds
  readonly asking: Asking
  readonly rules?: Rules | undefined
}

export function openTransactions(parts: TransactionParts): Transactions {
  const { clock, random, logger, table, metadata, brokerConfig, directory, producerIds, asking, rules } = parts
  const topics = topicsOf(metadata)
  return new Transactions({
    clock, random, logger, table, topics, directory, limits: limits.transactions, rules,
    settings: () => transactionSettingsOf(brokerConfig),
    newProducerId: () => producerIds.next(),
    audience: audienceOf({
      topics, directory, timeoutMs: limits.transactions.telling.timeoutMs,
      ask: (lane, brokerId, api, request, options) => asking.over(lane)(brokerId, api, request, options),
      leaderOf(topicId, partition) {
        const leader = metadata.image.topics.get(topicId)?.partitions[partition]?.leader
        return leader === undefined || leader < 0 ? undefined : leader
      },
    }),
  })
}

function transactionSettingsOf(config: BrokerConfig): TransactionSettings {
  return {
    timeoutMsMax: config.number('transaction.max.timeout.ms'),
    idExpirationMs: config.number('transactional.id.expiration.ms'),
  }
}
