import { ErrorCode } from '../../protocol/error-code.ts'
import type { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } from '../../protocol/messages/consumer-group-heartbeat.ts'
import { type Circumstances, type Client, type Decision, replyOnly, type Ticket } from '../decision.ts'
import type { Group } from '../group.ts'
import { assignmentOf, isEqual, topicPartitionsOf } from './assignment.ts'
import { ConsumerChange } from './consumer-change.ts'
import { type ConsumerGroup, type ConsumerMember } from './consumer-group.ts'
import { memberEpoch, type Refusal, refusal, refused } from './heartbeat-request.ts'
import { decideLeaving } from './leave.ts'
import { findMember } from './member-identity.ts'
import { planUpgrade } from '../migration/upgrade.ts'
import { reconcile } from './reconcile.ts'
import { topicNamesOf } from './topic-names.ts'

export interface ConsumerHeartbeat {
  readonly ticket: Ticket
  /** Checked by `problemWith` before, and with a member id. */
  readonly request: ConsumerGroupHeartbeatRequest
  readonly client: Client
}

/**
 * A heartbeat joins, leaves, changes a subscription, acknowledges an assignment, or only says that the member is there.
 * Whatever of these it is, it takes the member one step towards its target, and the group a step further where topics
 * or subscriptions have changed.
 */
export function decideConsumerHeartbeat(group: Group, heartbeat: ConsumerHeartbeat, now: Circumstances): Decision {
  const { request, ticket } = heartbeat
  const { membership } = group
  if (membership?.kind === 'consumer') {
    return request.memberEpoch < 0 ? decideLeaving(membership, heartbeat, now) : beat(membership, heartbeat, now)
  }
  if (request.memberEpoch !== memberEpoch.joining) return replyOnly(ticket, refused(noConsumerGroup(group)))
  // Whoever joins makes the group, also of a classic one that is empty.
  if (membership === undefined || membership.phase.state === 'Empty') return beat(undefined, heartbeat, now)
  const upgrade = planUpgrade(membership, now)
  if (upgrade === undefined) return replyOnly(ticket, refused(noConsumerGroup(group)))
  const decision = beat(upgrade.group, heartbeat, now)
  if (decision.records.length === 0) return decision
  return { ...decision, records: [...upgrade.records, ...decision.records], replies: [...upgrade.replies, ...decision.replies] }
}

function noConsumerGroup({ groupId, membership }: Group): Refusal {
  const message = membership === undefined ? `there is no group ${groupId}` : `the group ${groupId} is not a consumer group`
  return refusal(ErrorCode.GROUP_ID_NOT_FOUND, message)
}

function beat(group: ConsumerGroup | undefined, { request, client, ticket }: ConsumerHeartbeat, now: Circumstances): Decision {
  const { memberId } = request
  const owned = request.topicPartitions === null ? undefined : assignmentOf(request.topicPartitions)
  const { consumerMembersMax } = now.settings
  if (group !== undefined && group.members.size >= consumerMembersMax && !group.members.has(memberId)) {
    return replyOnly(ticket, refused(
      refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, `the group has ${consumerMembersMax} members, which is all that it may have`)
    ))
  }
  const change = new ConsumerChange(group, now.topics)
  const before = findMember(change, { request, owned })
  if ('errorCode' in before) return replyOnly(ticket, refused(before))
  const updated = updatedMember(before, { request, client })
  change.put(updated)
  const subscribesAnew = updated.topicNames !== before.topicNames || updated.topicRegex !== before.topicRegex
  if (subscribesAnew) change.raiseEpoch()
  else change.raiseEpochIfTopicsChanged()
  change.assignIfNeeded()
  const after = reconcile(change.group.members.get(memberId)!, { group: change.group, owned })
  change.put(after)
  const tellsAll = request.memberEpoch === memberEpoch.joining || isFullRequest(request)
  return {
    records: change.records,
    replies: [{ ticket, response: answer(after, { isTold: tellsAll || !isEqual(before.assigned, after.assigned), now }) }],
    touched: [{ memberId, timeoutMs: now.settings.consumerSessionTimeoutMs }],
  }
}

/** A client that is not sure that we know everything about it says everything, and is told everything. */
function isFullRequest(
  { rebalanceTimeoutMs, subscribedTopicNames, subscribedTopicRegex, topicPartitions }: ConsumerGroupHeartbeatRequest,
): boolean {
  return rebalanceTimeoutMs !== -1 && (subscribedTopicNames !== null || subscribedTopicRegex !== null) && topicPartitions !== null
}

interface From {
  readonly request: ConsumerGroupHeartbeatRequest
  readonly client: Client
}

/** What a request leaves out stays as it was. The same member where nothing changes. */
function updatedMember(member: ConsumerMember, { request, client }: From): ConsumerMember {
  const { subscribedTopicNames: names, subscribedTopicRegex: regex } = request
  const updated: ConsumerMember = {
    ...member,
    ...client,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
    topicNames: names === null ? member.topicNames : topicNamesOf(names, member.topicNames),
    // An empty pattern takes the subscription by pattern back.
    topicRegex: regex === null ? member.topicRegex : regex === '' ? undefined : regex,
    assignor: request.serverAssignor ?? member.assignor,
    classic: undefined,
  }
  const fields = Object.keys(updated) as (keyof ConsumerMember)[]
  return fields.every((name) => updated[name] === member[name]) ? member : updated
}

function answer(
  member: ConsumerMember, { isTold, now }: { readonly isTold: boolean; readonly now: Circumstances },
): ConsumerGroupHeartbeatResponse {
  return {
    errorCode: ErrorCode.NONE,
    memberId: member.memberId,
    memberEpoch: member.epoch,
    heartbeatIntervalMs: now.settings.consumerHeartbeatIntervalMs,
    assignment: isTold ? { topicPartitions: topicPartitionsOf(member.assigned) } : null,
  }
}

