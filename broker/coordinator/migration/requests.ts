// The classic requests of members that are still classic in a group that is a consumer group already. The coordinator
// assigns, so none of them leads; each follows its own steps, a join being to it what a heartbeat with partitions is
// to others.

import { ErrorCode } from '../../protocol/error-code.ts'
import type { LeaveGroupResponse } from '../../protocol/messages/leave-group.ts'
import type { SyncGroupResponse } from '../../protocol/messages/sync-group.ts'
import { syncRefused } from '../classic/classic-change.ts'
import { consumerProtocolType } from '../classic/classic-group.ts'
import type { Heartbeat } from '../classic/heartbeat.ts'
import type { Leave } from '../classic/leave.ts'
import type { Sync } from '../classic/sync.ts'
import type { ConsumerGroup } from '../consumer/consumer-group.ts'
import { removal } from '../consumer/leave.ts'
import { staticMember } from '../consumer/member-identity.ts'
import { isHeldUp } from '../consumer/reconcile.ts'
import { type Circumstances, type Decision, replyOnly } from '../decision.ts'
import { type ClassicConsumer, findClassic, findMember, isClassic } from './classic-identity.ts'
import { writeAssignment } from './embedded.ts'

export function heartbeatOfClassic(group: ConsumerGroup, { request, ticket }: Heartbeat): Decision {
  const member = findClassic(group, request)
  if (typeof member === 'number') return replyOnly(ticket, { errorCode: member })
  if (request.generationId !== member.epoch) return replyOnly(ticket, { errorCode: ErrorCode.ILLEGAL_GENERATION })
  const errorCode = mustJoinAgain(group, member) ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
  return { ...replyOnly(ticket, { errorCode }), touched: [{ memberId: member.memberId, timeoutMs: member.classic.sessionTimeoutMs }] }
}

/** There is a newer target, something to give up, or something to take that has become free. */
function mustJoinAgain(group: ConsumerGroup, member: ClassicConsumer): boolean {
  const { kind } = member.state
  return member.epoch < group.epoch || kind === 'unrevoked' || (kind === 'unreleased' && !isHeldUp(member, group))
}

export function syncOfClassic(group: ConsumerGroup, { request, ticket }: Sync, { topics }: Circumstances): Decision {
  const member = findClassic(group, request)
  const error = typeof member === 'number' ? member : problemWithSync(group, { request, member })
  if (typeof member === 'number' || error !== ErrorCode.NONE) return replyOnly(ticket, syncRefused(error))
  const { classic, assigned, memberId } = member
  const response: SyncGroupResponse = {
    errorCode: ErrorCode.NONE,
    protocolType: request.protocolType,
    protocolName: request.protocolName,
    assignment: writeAssignment(assigned, { metadata: classic.protocols[0]!.metadata, topics }),
  }
  return { ...replyOnly(ticket, response), touched: [{ memberId, timeoutMs: classic.sessionTimeoutMs }] }
}

interface Syncing extends Pick<Sync, 'request'> {
  readonly member: ClassicConsumer
}

function problemWithSync(group: ConsumerGroup, { request, member }: Syncing): ErrorCode {
  if (request.generationId !== member.epoch) return ErrorCode.ILLEGAL_GENERATION
  const isOfOtherType = request.protocolType !== null && request.protocolType !== consumerProtocolType
  const isOfOtherName = request.protocolName !== null && request.protocolName !== member.classic.protocols[0]!.name
  if (isOfOtherType || isOfOtherName) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  return group.epoch > member.epoch && member.state.kind !== 'unrevoked' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

/** Operators may remove members of either protocol so. */
export function leaveConsumerGroup(group: ConsumerGroup, { members, ticket }: Leave, now: Circumstances): Decision {
  const gone = new Set<string>()
  const response: LeaveGroupResponse = {
    errorCode: ErrorCode.NONE,
    members: members.map(({ memberId, groupInstanceId }) => {
      const holder = groupInstanceId === null ? undefined : staticMember(group, groupInstanceId)
      const claimed = memberId === '' && holder !== undefined ? holder.memberId : memberId
      const found = findMember(group, { memberId: claimed, groupInstanceId })
      if (typeof found !== 'number') gone.add(found.memberId)
      return { memberId, groupInstanceId, errorCode: typeof found === 'number' ? found : ErrorCode.NONE }
    }),
  }
  const records = gone.size === 0 ? [] : removal(group, [...gone], now)
  return { ...replyOnly(ticket, response), records }
}

/** Protocols that all classic members can do must remain, lest the group cannot become a classic one again. */
export function supportsClassic(group: ConsumerGroup, protocols: readonly { readonly name: string }[]): boolean {
  const classics = [...group.members.values()].filter(isClassic)
  return protocols.some(({ name }) => classics.every(({ classic }) => classic.protocols.some((protocol) => protocol.name === name)))
}
