import { ErrorCode } from '../../protocol/error-code.ts'
import type { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } from '../../protocol/messages/consumer-group-heartbeat.ts'
import { problemWithPattern } from './regex/topic-pattern.ts'
import { assignors } from './target.ts'

/** Epochs that are no epochs. */
export const memberEpoch = {
  joining: 0,
  leaving: -1,
  /** A static member that will be back within its session. */
  leavingForAWhile: -2,
} as const

export interface Refusal {
  readonly errorCode: ErrorCode
  readonly errorMessage: string
}

export function refusal(errorCode: ErrorCode, errorMessage: string): Refusal {
  return { errorCode, errorMessage }
}

/** What is wrong with a request whatever the group is like. */
export function problemWith(request: ConsumerGroupHeartbeatRequest, version: number): Refusal | undefined {
  const { groupId, instanceId, rackId, serverAssignor, subscribedTopicRegex: regex } = request
  if (groupId === '') return invalid('the group id is empty')
  if (instanceId === '') return invalid('the instance id is empty')
  if (rackId === '') return invalid('the rack id is empty')
  const problem = problemWithMember(request, version)
  if (problem !== undefined) return problem
  if (serverAssignor !== null && !assignors.has(serverAssignor)) {
    const message = `the assignor ${serverAssignor} is not served; there are ${[...assignors.keys()].join(' and ')}`
    return refusal(ErrorCode.UNSUPPORTED_ASSIGNOR, message)
  }
  const fault = regex === null || regex === '' ? undefined : problemWithPattern(regex)
  return fault === undefined ? undefined : refusal(ErrorCode.INVALID_REGULAR_EXPRESSION, `the pattern '${regex}' cannot be used: ${fault}`)
}

function problemWithMember(request: ConsumerGroupHeartbeatRequest, version: number): Refusal | undefined {
  const { memberId, instanceId } = request
  // From v1 on clients make their ids themselves, so that a lost answer leaves no ghost (KIP-1082).
  if (memberId === '' && (version >= 1 || request.memberEpoch !== memberEpoch.joining)) return invalid('the member id is empty')
  if (request.memberEpoch < memberEpoch.leavingForAWhile) return invalid(`${request.memberEpoch} is no member epoch`)
  if (request.memberEpoch === memberEpoch.leavingForAWhile && instanceId === null) {
    return invalid('only a static member can leave for a while')
  }
  return request.memberEpoch === memberEpoch.joining ? problemWithJoin(request) : undefined
}

function problemWithJoin(request: ConsumerGroupHeartbeatRequest): Refusal | undefined {
  if (request.rebalanceTimeoutMs === -1) return invalid('who joins must give a rebalance timeout')
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return invalid('who joins must say that it owns no partitions')
  }
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    return invalid('who joins must subscribe to names or a pattern')
  }
  return undefined
}

function invalid(message: string): Refusal {
  return refusal(ErrorCode.INVALID_REQUEST, message)
}

/** The refusal as the protocol has it. */
export function refused({ errorCode, errorMessage }: Refusal): ConsumerGroupHeartbeatResponse {
  return { errorCode, errorMessage, memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0 }
}
