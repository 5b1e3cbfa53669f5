import { ErrorCode } from '../../protocol/error-code.ts'
import type { JoinGroupResponse } from '../../protocol/messages/join-group.ts'
import { joinRefused } from '../classic/classic-change.ts'
import { consumerProtocolType } from '../classic/classic-group.ts'
import type { Join } from '../classic/join.ts'
import { hasSameProtocols } from '../classic/protocol-choice.ts'
import { ConsumerChange } from '../consumer/consumer-change.ts'
import type { ClassicFacts, ConsumerGroup, ConsumerMember } from '../consumer/consumer-group.ts'
import { staticMember, takePlace } from '../consumer/member-identity.ts'
import { newMember } from '../consumer/new-member.ts'
import { reconcile } from '../consumer/reconcile.ts'
import { topicNamesOf } from '../consumer/topic-names.ts'
import { type Circumstances, type Decision, replyOnly } from '../decision.ts'
import { byId, readSubscription, type Subscription } from './embedded.ts'
import { supportsClassic } from './requests.ts'

/** A classic member joins a consumer group, or comes back to take its next step there. It is answered at once. */
export function joinOfClassic(group: ConsumerGroup, join: Join, now: Circumstances): Decision {
  const { request, ticket, newMemberId } = join
  const refuse = (errorCode: ErrorCode, memberId = request.memberId) => replyOnly(ticket, joinRefused(memberId, errorCode))
  const isNew = request.memberId === ''
  const memberId = isNew ? newMemberId : request.memberId
  const isFull = group.members.size >= now.settings.consumerMembersMax
  if (isFull && !group.members.has(memberId)) return refuse(ErrorCode.GROUP_MAX_SIZE_REACHED, '')
  const subscription = subscriptionOf(group, join)
  if (subscription === undefined) return refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  if (isNew && request.groupInstanceId === null && join.requiresMemberId) return refuse(ErrorCode.MEMBER_ID_REQUIRED, memberId)
  const change = new ConsumerChange(group, now.topics)
  const before = findJoining(change, { join, memberId })
  if (typeof before === 'number') return refuse(before)
  const updated = updatedMember(before, { join, subscription })
  change.put(updated)
  if (updated.topicNames !== before.topicNames || updated.topicRegex !== before.topicRegex) change.raiseEpoch()
  else change.raiseEpochIfTopicsChanged()
  change.assignIfNeeded()
  const owned = byId(subscription.ownedPartitions, now.topics)
  const after = reconcile(change.group.members.get(memberId)!, { group: change.group, owned })
  change.put(after)
  const response: JoinGroupResponse = {
    errorCode: ErrorCode.NONE, generationId: after.epoch, protocolType: consumerProtocolType, protocolName: join.protocols[0]!.name,
    leader: '', memberId, members: [],
  }
  return { records: change.records, replies: [{ ticket, response }], touched: [{ memberId, timeoutMs: request.sessionTimeoutMs }] }
}

/** Undefined: it is no consumer, or can do nothing that the other classic members can. */
function subscriptionOf(group: ConsumerGroup, { request, protocols }: Join): Subscription | undefined {
  const first = protocols[0]
  if (first === undefined || request.protocolType !== consumerProtocolType || !supportsClassic(group, protocols)) return undefined
  return readSubscription(first.metadata)
}

interface Joining {
  readonly join: Join
  readonly memberId: string
}

function findJoining(change: ConsumerChange, { join: { request }, memberId }: Joining): ConsumerMember | ErrorCode {
  const { groupInstanceId } = request
  if (groupInstanceId === null) return change.group.members.get(memberId) ?? newMember(memberId)
  const holder = staticMember(change.group, groupInstanceId)
  if (request.memberId === '') return holder === undefined ? newMember(memberId) : takePlace(change, { holder, memberId })
  if (holder === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  return holder.memberId === memberId ? holder : ErrorCode.FENCED_INSTANCE_ID
}

interface From {
  readonly join: Join
  readonly subscription: Subscription
}

function updatedMember(member: ConsumerMember, { join, subscription }: From): ConsumerMember {
  const { request, client, protocols } = join
  return {
    ...member,
    ...client,
    instanceId: request.groupInstanceId ?? member.instanceId,
    rackId: subscription.rackId ?? member.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    topicNames: topicNamesOf(subscription.topics, member.topicNames),
    topicRegex: undefined,
    assignor: undefined,
    classic: factsOf(member.classic, { sessionTimeoutMs: request.sessionTimeoutMs, protocols }),
  }
}

/** The same object where nothing changed. */
function factsOf(before: ClassicFacts | undefined, after: ClassicFacts): ClassicFacts {
  const isSame = before?.sessionTimeoutMs === after.sessionTimeoutMs && hasSameProtocols(before, after.protocols)
  return isSame ? before : after
}
