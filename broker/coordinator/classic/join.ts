import { ErrorCode } from '../../protocol/error-code.ts'
import type { JoinGroupRequest } from '../../protocol/messages/join-group.ts'
import { type Circumstances, type Client, type Decision, replyOnly, type Ticket } from '../decision.ts'
import { newMemberTimeoutMs } from '../group-settings.ts'
import { ClassicChange, joinRefused } from './classic-change.ts'
import { type ClassicGroup, type ClassicMember, emptyClassicGroup, hasJoined, noAssignment, type Protocol } from './classic-group.ts'
import { checkIdentity } from './identity.ts'
import { chooseProtocol, hasSameProtocols, supports } from './protocol-choice.ts'
import { completeJoinIfPossible, joined, prepareRebalance, rebalance } from './rebalance.ts'

export interface Join {
  readonly request: JoinGroupRequest
  readonly client: Client
  readonly ticket: Ticket
  /** For a member that has no id yet. */
  readonly newMemberId: string
  /** v4: a dynamic member has to come back with the id that it is given (KIP-394), so that a lost answer leaves no ghost. */
  readonly requiresMemberId: boolean
  /** v9: a static leader may be told that the assignment stands (KIP-814). */
  readonly canSkipAssignment: boolean
  /** As the request has them, in buffers of their own. */
  readonly protocols: readonly Protocol[]
}

export function decideJoin(group: ClassicGroup | undefined, join: Join, now: Circumstances): Decision {
  const { request, ticket } = join
  const { memberId } = request
  const isUnknown = memberId === ''
  if (group === undefined && !isUnknown) return replyOnly(ticket, joinRefused(memberId, ErrorCode.UNKNOWN_MEMBER_ID))
  const known = group ?? emptyClassicGroup
  if (!hasRoom(known, memberId, now.settings.classicMembersMax)) return refuseForSize(known, join, now)
  if (!supports(known, request.protocolType, join.protocols)) {
    return replyOnly(ticket, joinRefused(memberId, ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
  }
  const change = new ClassicChange(known, now)
  if (isUnknown) joinNew(change, join)
  else if (known.pendingJoins.has(memberId) && request.groupInstanceId === null) addMember(change, join, memberId)
  else {
    const error = checkIdentity(known, request)
    if (error !== ErrorCode.NONE) return replyOnly(ticket, joinRefused(memberId, error))
    joinAgain(change, join, known.members.get(memberId)!)
  }
  return change.decision()
}

function hasRoom(group: ClassicGroup, memberId: string, membersMax: number): boolean {
  const member = group.members.get(memberId)
  if (group.phase.state === 'Empty') return true
  if (group.phase.state !== 'PreparingRebalance') return member !== undefined || group.members.size < membersMax
  if (member !== undefined && hasJoined(member)) return true
  return [...group.members.values()].filter(hasJoined).length < membersMax
}

/** Whoever does not fit is forgotten: members of a group that grew too large by a smaller limit drop out as they rejoin. */
function refuseForSize(group: ClassicGroup, { request, ticket }: Join, now: Circumstances): Decision {
  const change = new ClassicChange(group, now)
  change.remove(request.memberId)
  change.reply(ticket, joinRefused('', ErrorCode.GROUP_MAX_SIZE_REACHED))
  return change.decision()
}

function joinNew(change: ClassicChange, join: Join): void {
  const { request, newMemberId, ticket } = join
  const holder = request.groupInstanceId === null ? undefined : change.statics.get(request.groupInstanceId)
  if (holder !== undefined) return replaceStatic(change, join, change.members.get(holder)!)
  if (request.groupInstanceId !== null || !join.requiresMemberId) return addMember(change, join, newMemberId)
  change.pendingJoins.add(newMemberId)
  change.touch(newMemberId, request.sessionTimeoutMs)
  change.reply(ticket, joinRefused(newMemberId, ErrorCode.MEMBER_ID_REQUIRED))
}

function addMember(change: ClassicChange, join: Join, memberId: string): void {
  const { request, client, ticket } = join
  const { phase } = change
  if (change.members.size === 0) change.protocolType = request.protocolType
  if (phase.state === 'PreparingRebalance' && phase.initial !== undefined) {
    change.phase = { ...phase, initial: { ...phase.initial, hasNewMember: true } }
  }
  change.put({
    memberId,
    instanceId: request.groupInstanceId ?? undefined,
    clientId: client.clientId,
    clientHost: client.clientHost,
    ...termsOf(join),
    assignment: noAssignment,
    waiting: { for: 'join', ticket },
    isNew: true,
  })
  change.touch(memberId, newMemberTimeoutMs)
  rebalance(change)
}

function termsOf({ request, protocols }: Join): Pick<ClassicMember, 'rebalanceTimeoutMs' | 'sessionTimeoutMs' | 'protocols'> {
  const { sessionTimeoutMs } = request
  // Before v1 there was one timeout for both.
  const rebalanceTimeoutMs = request.rebalanceTimeoutMs < 0 ? sessionTimeoutMs : request.rebalanceTimeoutMs
  return { rebalanceTimeoutMs, sessionTimeoutMs, protocols }
}

/** A member with an id joins: for a new generation, or because an answer was lost. */
function joinAgain(change: ClassicChange, join: Join, member: ClassicMember): void {
  const { state } = change
  const isSame = hasSameProtocols(member, join.protocols)
  const isLeaderOfStable = state === 'Stable' && change.leader === member.memberId
  if (state !== 'PreparingRebalance' && isSame && !isLeaderOfStable) {
    change.reply(join.ticket, joined(change, member))
    return
  }
  awaitJoin(change, join, member)
  rebalance(change)
}

function awaitJoin(change: ClassicChange, join: Join, member: ClassicMember): void {
  // Whoever asks again has given up on the earlier request; answering it frees it.
  if (member.waiting?.for === 'join') {
    change.reply(member.waiting.ticket, joinRefused(member.memberId, ErrorCode.REBALANCE_IN_PROGRESS))
  }
  if (member.waiting?.for === 'sync') {
    change.reply(member.waiting.ticket, { errorCode: ErrorCode.REBALANCE_IN_PROGRESS, assignment: noAssignment })
  }
  change.put({ ...member, ...termsOf(join), waiting: { for: 'join', ticket: join.ticket } })
}

/**
 * A process with a known instance id and no member id: it was restarted. It takes the place of the member that had the
 * id, and the old one is fenced. While the group is stable and the choice of protocol does not change, nobody else
 * notices (KIP-345).
 */
function replaceStatic(change: ClassicChange, join: Join, old: ClassicMember): void {
  const { newMemberId: memberId, ticket } = join
  fence(change, old)
  const members = [...change.members].map(([id, member]): [string, ClassicMember] =>
    id === old.memberId ? [memberId, { ...old, memberId, waiting: undefined }] : [id, member])
  change.members.clear()
  for (const [id, member] of members) change.members.set(id, member)
  change.statics.set(old.instanceId!, memberId)
  if (change.leader === old.memberId) change.leader = memberId
  const member: ClassicMember = { ...change.members.get(memberId)!, ...termsOf(join) }
  change.members.set(memberId, member)
  change.touch(memberId, member.sessionTimeoutMs)
  if (change.state === 'Stable' && chooseProtocol(change.members) === change.protocol) {
    const isLeader = change.leader === memberId
    const answer = joined(change, member, { skipAssignment: join.canSkipAssignment && isLeader })
    // Older leaders would assign anew if they were told of the members, or that they lead.
    change.reply(ticket, join.canSkipAssignment ? answer : { ...answer, members: [], leader: isLeader ? old.memberId : answer.leader })
    change.isDurable = true
    return
  }
  change.members.set(memberId, { ...member, waiting: { for: 'join', ticket } })
  if (change.state === 'PreparingRebalance') completeJoinIfPossible(change)
  else prepareRebalance(change)
}

function fence(change: ClassicChange, { memberId, waiting }: ClassicMember): void {
  change.synced(memberId)
  if (waiting?.for === 'join') change.reply(waiting.ticket, joinRefused(memberId, ErrorCode.FENCED_INSTANCE_ID))
  if (waiting?.for === 'sync') change.reply(waiting.ticket, { errorCode: ErrorCode.FENCED_INSTANCE_ID, assignment: noAssignment })
}
