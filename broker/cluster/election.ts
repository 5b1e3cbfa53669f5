// Elections that an operator asks for (KIP-183, KIP-460): pure decisions on an image.

import { ErrorCode } from '../protocol/error-code.ts'
import { type Image, isAlive, topicNamed } from './image.ts'
import { changed, elected, noLeader, type RulesOf } from './leadership.ts'
import type { PartitionChanged } from './metadata-record.ts'
import { refusal, type Refusal } from './topic-changes.ts'

export interface WantedElection {
  readonly topic: string
  readonly partition: number
  /** `preferred`: the first replica. `unclean`: any that serves, where nobody leads; what only others have is lost. */
  readonly kind: 'preferred' | 'unclean'
}

export function planElection(image: Image, wanted: WantedElection, rulesOf: RulesOf): PartitionChanged | Refusal {
  const { topic: name, partition: index, kind } = wanted
  const topic = topicNamed(image, name)
  const partition = topic?.partitions[index]
  if (topic === undefined || partition === undefined) {
    return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find partition ${name}-${index}.`)
  }
  const canLead = (brokerId: number) => isAlive(image, brokerId)
  if (kind === 'preferred') {
    const preferred = partition.replicas[0]!
    if (partition.leader === preferred) return refusal(ErrorCode.ELECTION_NOT_NEEDED, `Broker ${preferred} leads already.`)
    if (partition.isr.includes(preferred) && canLead(preferred)) return changed(topic.id, partition, { leader: preferred })
    return refusal(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, `Broker ${preferred} does not serve, or is not in sync.`)
  }
  if (partition.leader !== noLeader) return refusal(ErrorCode.ELECTION_NOT_NEEDED, `Broker ${partition.leader} leads.`)
  const change = elected(partition, { rules: { ...rulesOf(name), isUncleanElectionAllowed: true }, canLead })
  if (change.leader === noLeader) return refusal(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, 'No broker that has a replica serves.')
  return changed(topic.id, partition, change)
}
