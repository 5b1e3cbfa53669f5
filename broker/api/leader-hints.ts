// Who leads instead, beside NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951): clients go there at once.

import type { Image } from '../cluster/image.ts'
import type { Uuid } from '../runtime/random.ts'

export interface LeaderHint {
  readonly leaderId: number
  readonly leaderEpoch: number
}

export function leaderHint(image: Image, topicId: Uuid, partition: number): LeaderHint {
  const known = image.topics.get(topicId)?.partitions[partition]
  return { leaderId: known?.leader ?? -1, leaderEpoch: known?.leaderEpoch ?? -1 }
}

/** Where the leaders that were hinted at can be reached, each once. */
export function leaderNodes(image: Image, hints: readonly LeaderHint[]) {
  return [...new Set(hints.map(({ leaderId }) => leaderId))].flatMap((id) => {
    const broker = image.brokers.get(id)
    return broker === undefined ? [] : [{ nodeId: id, host: broker.host, port: broker.port, rack: broker.rack }]
  })
}
