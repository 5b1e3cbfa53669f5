import type { Topics } from '../topics.ts'
import type { ConsumerMember } from './consumer-group.ts'

export function subscribedTopicsOf(members: readonly ConsumerMember[], _topics: Topics): ReadonlySet<string> {
  return new Set(members.flatMap(({ topicNames }) => topicNames))
}
