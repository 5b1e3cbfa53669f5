import { ErrorCode } from '../../protocol/error-code.ts'
import { joinRefused, syncRefused } from '../classic/classic-change.ts'
import { type ClassicGroup, type ClassicMember, consumerProtocolType } from '../classic/classic-group.ts'
import { type Assignment, emptyAssignment, minus, union } from '../consumer/assignment.ts'
import { type ConsumerGroup, type ConsumerMember, foldConsumer, stable } from '../consumer/consumer-group.ts'
import type { ConsumerRecord } from '../consumer/consumer-record.ts'
import { hashOfTopics, subscribedTopicsOf } from '../consumer/subscriptions.ts'
import { topicNamesOf } from '../consumer/topic-names.ts'
import type { Circumstances, Reply } from '../decision.ts'
import { readAssignment, readSubscription } from './embedded.ts'

export interface Upgrade {
  readonly group: ConsumerGroup
  readonly records: readonly ConsumerRecord[]
  /** For those who wait for the classic group to complete: they are to join again. */
  readonly replies: readonly Reply[]
}

/**
 * The first member of the new protocol turns a classic group of consumers into a consumer group. Its classic members
 * stay members, with the partitions that they have, and catch up by joining again. Undefined: the group is not of
 * consumers, what they say cannot be read, or there are too many of them.
 */
export function planUpgrade(group: ClassicGroup, { topics, settings }: Circumstances): Upgrade | undefined {
  if (group.protocolType !== consumerProtocolType || group.members.size > settings.consumerMembersMax) return undefined
  const epoch = Math.max(group.generation, 1)
  const members: ConsumerMember[] = []
  let taken: Assignment = emptyAssignment
  for (const old of group.members.values()) {
    const member = upgradedMember(old, { epoch, protocol: group.protocol })
    const assigned = readAssignment(old.assignment, topics)
    if (member === undefined || assigned === undefined) return undefined
    // A leader that gave a partition to two members: the first keeps it, for nobody may share one here.
    const own = minus(assigned, taken)
    taken = union(taken, own)
    members.push({ ...member, assigned: own })
  }
  const subscribed = subscribedTopicsOf(members, topics)
  const records: ConsumerRecord[] = [
    { type: 'consumerEpoch', epoch, topicsHash: hashOfTopics(subscribed, topics), subscribed },
    ...members.map((member): ConsumerRecord => ({ type: 'consumerMember', member })),
    { type: 'consumerTarget', assignmentEpoch: epoch, targets: new Map(members.map(({ memberId, assigned }) => [memberId, assigned])) },
  ]
  return { group: foldConsumer(undefined, records), records, replies: [...group.members.values()].flatMap(toldToJoinAgain) }
}

function upgradedMember(
  old: ClassicMember, { epoch, protocol }: { readonly epoch: number; readonly protocol: string | undefined },
): ConsumerMember | undefined {
  const { memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols } = old
  const chosen = protocols.find(({ name }) => name === protocol) ?? protocols[0]
  const subscription = chosen && readSubscription(chosen.metadata)
  if (subscription === undefined) return undefined
  return {
    memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, epoch, previousEpoch: epoch, state: stable,
    rackId: subscription.rackId ?? undefined,
    topicNames: topicNamesOf(subscription.topics, []),
    topicRegex: undefined, assignor: undefined, assigned: emptyAssignment,
    classic: { sessionTimeoutMs, protocols },
  }
}

function toldToJoinAgain({ memberId, waiting }: ClassicMember): Reply[] {
  if (waiting === undefined) return []
  const code = ErrorCode.REBALANCE_IN_PROGRESS
  return [{ ticket: waiting.ticket, response: waiting.for === 'join' ? joinRefused(memberId, code) : syncRefused(code) }]
}
