import { ErrorCode } from '../../protocol/error-code.ts'
import type { SyncGroupRequest, SyncGroupResponse } from '../../protocol/messages/sync-group.ts'
import { type Circumstances, type Decision, replyOnly, type Ticket } from '../decision.ts'
import { ClassicChange, syncRefused } from './classic-change.ts'
import { type ClassicGroup, type ClassicMember, noAssignment } from './classic-group.ts'
import { checkIdentity } from './identity.ts'

export interface Sync {
  readonly request: SyncGroupRequest
  readonly ticket: Ticket
}

export function decideSync(group: ClassicGroup | undefined, { request, ticket }: Sync, now: Circumstances): Decision {
  const error = group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : checkSync(group, request)
  if (group === undefined || error !== ErrorCode.NONE) return replyOnly(ticket, syncRefused(error))
  const change = new ClassicChange(group, now)
  const member = group.members.get(request.memberId)!
  change.synced(member.memberId)
  if (group.phase.state === 'Stable') {
    change.reply(ticket, assigned(change, member))
    change.touch(member.memberId, member.sessionTimeoutMs)
    return change.decision()
  }
  if (member.waiting?.for === 'sync') change.reply(member.waiting.ticket, syncRefused(ErrorCode.REBALANCE_IN_PROGRESS))
  change.put({ ...member, waiting: { for: 'sync', ticket } })
  if (group.leader === member.memberId) assign(change, request)
  return change.decision()
}

function checkSync(group: ClassicGroup, request: SyncGroupRequest): ErrorCode {
  if (group.phase.state === 'Empty') return ErrorCode.UNKNOWN_MEMBER_ID
  const error = checkIdentity(group, request)
  if (error !== ErrorCode.NONE) return error
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  if (differs(request.protocolType, group.protocolType) || differs(request.protocolName, group.protocol)) {
    return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  }
  return group.phase.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

/** Clients before v5 do not say, and what we do not know cannot differ. */
function differs(claimed: string | null, known: string | undefined): boolean {
  return claimed !== null && known !== undefined && claimed !== known
}

/** The leader has assigned: the generation is complete, and from now on it outlives this process. */
function assign(change: ClassicChange, request: SyncGroupRequest): void {
  const assignments = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]))
  change.enter({ state: 'Stable', syncs: change.pendingSyncs })
  change.isDurable = true
  for (const old of change.members.values()) {
    const { waiting } = old
    const member: ClassicMember = {
      ...old,
      assignment: assignments.get(old.memberId) ?? noAssignment,
      waiting: waiting?.for === 'sync' ? undefined : waiting,
    }
    change.members.set(member.memberId, member)
    if (waiting?.for !== 'sync') continue
    change.reply(waiting.ticket, assigned(change, member))
    change.touch(member.memberId, member.sessionTimeoutMs)
  }
}

function assigned(change: ClassicChange, { assignment }: ClassicMember): SyncGroupResponse {
  return {
    errorCode: ErrorCode.NONE,
    protocolType: change.protocolType ?? null,
    protocolName: change.protocol ?? null,
    assignment,
  }
}
