import { consumerProtocolType } from '../classic/classic-group.ts'
import type { Group } from '../group.ts'

/** Does anybody in the group consume the topic? Where a group of consumers cannot be understood, they may. */
export function isSubscribed(membership: Group['membership'], topic: string): boolean {
  if (membership === undefined) return false
  if (membership.kind === 'consumer') return membership.subscribed.has(topic)
  return membership.topics === undefined ? membership.protocolType === consumerProtocolType : membership.topics.has(topic)
}
