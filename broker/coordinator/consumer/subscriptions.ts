import type { Topic, Topics } from '../topics.ts'
import type { ConsumerGroup, ConsumerMember } from './consumer-group.ts'
import { topicsMatching } from './regex/topic-pattern.ts'

/** Names of topics that exist or not, by name or by pattern. */
export function subscribedTopicsOf(members: Iterable<ConsumerMember>, topics: Topics): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { topicNames, topicRegex } of members) {
    for (const name of topicNames) names.add(name)
    if (topicRegex !== undefined) for (const name of topicsMatching(topicRegex, topics)) names.add(name)
  }
  return names
}

/** The topics that a member is to get partitions of. */
export function topicsOf(member: ConsumerMember, topics: Topics): Topic[] {
  return [...subscribedTopicsOf([member], topics)].flatMap((name) => topics.byName(name) ?? [])
}

/** Changes when one of the topics appears, goes, is made again, or grows. */
export function hashOfTopics(names: ReadonlySet<string>, topics: Topics): string {
  const facts = [...names].flatMap((name) => topics.byName(name) ?? []).map(({ id, partitionCount }) => `${id}:${partitionCount}`).sort()
  if (facts.length === 0) return ''
  // Two of FNV-1a from different starts: 64 bits, so that two sets of topics are not taken for one.
  let [one, other] = [0x811c9dc5, 0x01234567]
  for (const fact of facts) {
    for (let index = 0; index < fact.length; index++) {
      one = Math.imul(one ^ fact.charCodeAt(index), 0x01000193)
      other = Math.imul(other ^ fact.charCodeAt(index), 0x01000193)
    }
    other ^= one >>> 16
  }
  return [one, other].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}

/**
 * The topics' version that a group's subscriptions were found unchanged at. Only a memory of a comparison, so that not
 * every heartbeat makes it again.
 */
const comparedAt = new WeakMap<ConsumerGroup['subscribed'], { readonly topics: Topics; readonly version: number; readonly hash: string }>()

/** Did any subscribed topic change since the group's epoch was last raised? */
export function haveTopicsChanged(group: ConsumerGroup, topics: Topics): boolean {
  const last = comparedAt.get(group.subscribed)
  if (last?.topics === topics && last.version === topics.version && last.hash === group.topicsHash) return false
  const subscribed = subscribedTopicsOf(group.members.values(), topics)
  if (hashOfTopics(subscribed, topics) !== group.topicsHash) return true
  comparedAt.set(group.subscribed, { topics, version: topics.version, hash: group.topicsHash })
  return false
}
