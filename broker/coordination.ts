// What the coordinators look at of the cluster, taken from the metadata image.

import type { BrokerConfig } from './cluster/broker-config.ts'
import { aliveBrokers, type BrokerImage, configsOf, type Image, topicNamed, type TopicImage } from './cluster/image.ts'
import type { MetadataLog } from './cluster/metadata-log.ts'
import type { CoordinatorDirectory } from './coordinator/directory.ts'
import { Enlister } from './coordinator/enlister.ts'
import type { GroupSettings } from './coordinator/group-settings.ts'
import type { Topic, Topics } from './coordinator/topics.ts'
import { limits } from './limits.ts'
import type { AskBroker } from './net/ask-broker.ts'
import { ErrorCode } from './protocol/error-code.ts'
import { addGroupToTxnApi } from './protocol/internal/txn-group.ts'
import { addPartitionsToTxnApi } from './protocol/messages/add-partitions-to-txn.ts'
import type { Clock } from './runtime/clock.ts'
import type { Uuid } from './runtime/random.ts'

export function topicsOf(metadata: MetadataLog): Topics {
  const listeners: ((deleted: readonly Uuid[]) => void)[] = []
  let before = metadata.image
  metadata.onChange((image) => {
    if (image.topics === before.topics) return
    const deleted = [...before.topics.keys()].filter((id) => !image.topics.has(id))
    before = image
    for (const listener of listeners) listener(deleted)
  })
  return {
    get version() {
      return metadata.image.sequence
    },
    byName: (name) => topicOf(topicNamed(metadata.image, name)),
    byId: (id) => topicOf(metadata.image.topics.get(id)),
    names: () => metadata.image.topicIds.keys(),
    onChange: (listener) => listeners.push(listener),
  }
}

function topicOf(topic: TopicImage | undefined): Topic | undefined {
  return topic === undefined ? undefined : { id: topic.id, name: topic.name, partitionCount: topic.partitions.length }
}

export interface DirectoryOptions {
  readonly brokerId: number
  image(): Image
  /** Whether this broker's session holds. */
  hasSession(): boolean
  /** Resolves once the other brokers go by what this one changed, or a moment later. */
  othersKnow(): Promise<void>
}

/**
 * Each shard goes to the serving broker that has the highest hash together with it: when a broker comes or goes, only its
 * own shards move.
 */
export function coordinatorDirectory({ brokerId, image, hasSession, othersKnow }: DirectoryOptions): CoordinatorDirectory {
  return {
    brokerId,
    ownerOf(kind, shard) {
      let owner: BrokerImage | undefined
      let highest = -1
      for (const broker of aliveBrokers(image())) {
        const hash = hashOf(`${kind}/${shard}/${broker.brokerId}`)
        if (hash > highest) [owner, highest] = [broker, hash]
      }
      if (owner === undefined) return ErrorCode.COORDINATOR_NOT_AVAILABLE
      return { nodeId: owner.brokerId, host: owner.host, port: owner.port }
    },
    isCertain: () => image().brokers.size === 1 || hasSession(),
    othersKnow,
  }
}

/** FNV-1a, stirred at the end: keys that differ in their last character alone are otherwise close together. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** Asks transactions' coordinators over the wire. */
export function openEnlister(
  { clock, directory, ask }: { readonly clock: Clock; readonly directory: CoordinatorDirectory; readonly ask: AskBroker },
): Enlister {
  const { askTimeoutMs: timeoutMs } = limits.enlisting
  return new Enlister({
    clock, directory, limits: limits.enlisting,
    addPartitions: (brokerId, request) => ask(brokerId, addPartitionsToTxnApi, request, { version: 5, timeoutMs }),
    addGroup: (brokerId, request) => ask(brokerId, addGroupToTxnApi, request, { version: 0, timeoutMs }),
  })
}

/** What is in force for a group now: its own settings where it has some, else the broker's. */
export function groupSettingsOf(config: BrokerConfig, image: () => Image): (groupId: string) => GroupSettings {
  return (groupId) => {
    const own = configsOf(image(), { kind: 'group', name: groupId })
    // Within the broker's bounds, as Kafka takes a group's own settings: those may be older than the bounds.
    const bounded = (name: string) => {
      const value = Number(own.get(`consumer.${name}`) ?? config.text(`group.consumer.${name}`))
      return Math.min(Math.max(value, config.number(`group.consumer.min.${name}`)), config.number(`group.consumer.max.${name}`))
    }
    return {
      classicSessionTimeoutMsMin: config.number('group.min.session.timeout.ms'),
      classicSessionTimeoutMsMax: config.number('group.max.session.timeout.ms'),
      initialRebalanceDelayMs: config.number('group.initial.rebalance.delay.ms'),
      classicMembersMax: config.number('group.max.size'),
      consumerSessionTimeoutMs: bounded('session.timeout.ms'),
      consumerHeartbeatIntervalMs: bounded('heartbeat.interval.ms'),
      consumerMembersMax: config.number('group.consumer.max.size'),
      offsetMetadataCharactersMax: config.number('offset.metadata.max.bytes'),
      offsetRetentionMs: config.number('offsets.retention.minutes') * 60_000,
    }
  }
}
