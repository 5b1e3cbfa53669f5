import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { metadataApi } from '../broker/protocol/messages/metadata.ts'
import { WireClient } from '../test/support/wire-client.ts'

/** A partition as one broker says that it is. */
export interface PartitionState {
  readonly partition: number
  readonly leader: number
  readonly leaderEpoch: number
  /** Where clients reach the leader; undefined: nobody leads. */
  readonly address: string | undefined
  readonly isr: readonly number[]
}

/** Rejects with `ConnectionLost`. Empty where the broker does not know the topic. */
export async function askForPartitions(wire: WireClient, topicId: string, timeoutMs: number): Promise<PartitionState[]> {
  const { brokers, topics: [topic] } = await wire.call(metadataApi, {
    topics: [{ topicId, name: null }], allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
  }, { timeoutMs })
  if (topic?.errorCode !== ErrorCode.NONE) return []
  const addresses = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]))
  return topic.partitions.map(({ partitionIndex: partition, leaderId: leader, leaderEpoch, isrNodes: isr }) => (
    { partition, leader, leaderEpoch, isr, address: addresses.get(leader) }
  ))
}

/** The newest of what several brokers say, by partition. */
export async function observe(addresses: readonly string[], topicId: string): Promise<PartitionState[]> {
  const newest: PartitionState[] = []
  const answers = await Promise.allSettled(addresses.map(async (address) => {
    const wire = await WireClient.connect(address, 'observer')
    try {
      return await askForPartitions(wire, topicId, 2_000)
    } finally {
      wire.close()
    }
  }))
  for (const state of answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))) {
    if (state.leaderEpoch >= (newest[state.partition]?.leaderEpoch ?? -1)) newest[state.partition] = state
  }
  return newest
}

export interface Awaited {
  readonly topicId: string
  /** So many replicas each partition has. */
  readonly replicas: number
  readonly withinMs: number
  /** Sees each state on the way. */
  look?(state: PartitionState): void
}

/** Resolves with the states of all partitions once every replica is in sync. */
export async function inSync(
  addresses: readonly string[], { topicId, replicas, withinMs, look = () => {} }: Awaited,
): Promise<readonly [PartitionState, ...PartitionState[]]> {
  for (const until = performance.now() + withinMs; performance.now() < until; await sleep(50)) {
    const states = await observe(addresses, topicId)
    for (const state of states) look(state)
    const [first, ...rest] = states
    if (first !== undefined && states.every(({ leader, isr }) => leader >= 0 && isr.length === replicas)) return [first, ...rest]
  }
  throw new Error(`not in sync within ${withinMs} ms`)
}
