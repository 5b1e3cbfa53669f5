import { ErrorCode } from '../../protocol/error-code.ts'
import type { HeartbeatRequest } from '../../protocol/messages/heartbeat.ts'
import { type Decision, replyOnly, type Ticket } from '../decision.ts'
import type { ClassicGroup } from './classic-group.ts'
import { checkIdentity } from './identity.ts'

export interface Heartbeat {
  readonly request: HeartbeatRequest
  readonly ticket: Ticket
}

/** Changes nothing but a session in memory, so it never waits for the table: a slow table must not cause rebalances. */
export function decideHeartbeat(group: ClassicGroup | undefined, { request, ticket }: Heartbeat): Decision {
  const errorCode = group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : check(group, request)
  const decision = replyOnly(ticket, { errorCode })
  const member = group?.members.get(request.memberId)
  const isAlive = errorCode === ErrorCode.NONE || errorCode === ErrorCode.REBALANCE_IN_PROGRESS
  if (!isAlive || member === undefined) return decision
  return { ...decision, touched: [{ memberId: member.memberId, timeoutMs: member.sessionTimeoutMs }] }
}

function check(group: ClassicGroup, request: HeartbeatRequest): ErrorCode {
  const error = checkIdentity(group, request)
  if (error !== ErrorCode.NONE) return error
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  return group.phase.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}
