import { type Circumstances, type Decision, nothing } from '../decision.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { removal } from './leave.ts'

/** Members that fell silent, or that did not give up partitions within their rebalance timeout, are put out of the group. */
export function decideConsumerTimeouts(group: ConsumerGroup, memberIds: readonly string[], now: Circumstances): Decision {
  const gone = [...new Set(memberIds)].filter((memberId) => group.members.has(memberId))
  return gone.length === 0 ? nothing : { ...nothing, records: removal(group, gone, now) }
}
