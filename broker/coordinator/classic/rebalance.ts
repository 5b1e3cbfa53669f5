// How a rebalance begins and how its first half, the joining, ends. The second half is the leader's sync (sync.ts).

import { ErrorCode } from '../../protocol/error-code.ts'
import type { JoinGroupResponse } from '../../protocol/messages/join-group.ts'
import type { ClassicChange } from './classic-change.ts'
import { syncRefused } from './classic-change.ts'
import { type ClassicMember, hasJoined, metadataOf, noAssignment } from './classic-group.ts'

/** After a member came, changed or went: starts a rebalance, or ends the joining where that was what it waited for. */
export function rebalance(change: ClassicChange): void {
  if (change.state === 'PreparingRebalance') completeJoinIfPossible(change)
  else prepareRebalance(change)
}

export function prepareRebalance(change: ClassicChange): void {
  const isInitial = change.state === 'Empty'
  if (change.state === 'CompletingRebalance') callOffSync(change)
  const { monotonic, settings } = change.now
  if (isInitial) {
    const delayMs = settings.initialRebalanceDelayMs
    const remainingMs = Math.max(change.rebalanceTimeoutMs - delayMs, 0)
    const initial = { delayMs, remainingMs, hasNewMember: false }
    change.enter({ state: 'PreparingRebalance', deadline: monotonic + delayMs, initial })
    return
  }
  change.enter({ state: 'PreparingRebalance', deadline: monotonic + change.rebalanceTimeoutMs, initial: undefined })
  completeJoinIfPossible(change)
}

function callOffSync(change: ClassicChange): void {
  for (const member of change.members.values()) {
    if (member.waiting?.for === 'sync') {
      change.reply(member.waiting.ticket, syncRefused(ErrorCode.REBALANCE_IN_PROGRESS))
      change.touch(member.memberId, member.sessionTimeoutMs)
    }
    change.put({ ...member, assignment: noAssignment, waiting: member.waiting?.for === 'sync' ? undefined : member.waiting })
  }
}

/** A group that was empty waits until its delay is over, however many have joined. */
export function completeJoinIfPossible(change: ClassicChange): void {
  const { phase } = change
  if (phase.state === 'PreparingRebalance' && phase.initial === undefined && change.haveAllJoined) completeJoin(change)
}

/** The time for joining is over. */
export function joinTimeIsUp(change: ClassicChange): void {
  const { phase } = change
  if (phase.state !== 'PreparingRebalance') return
  const { initial } = phase
  if (initial === undefined || !initial.hasNewMember || initial.remainingMs === 0) return completeJoin(change)
  const delayMs = Math.min(change.now.settings.initialRebalanceDelayMs, initial.remainingMs)
  const remainingMs = Math.max(initial.remainingMs - initial.delayMs, 0)
  change.phase = {
    ...phase, deadline: change.now.monotonic + delayMs, initial: { delayMs, remainingMs, hasNewMember: false },
  }
}

/** Goes on with who has joined. Static members who have not are kept: they are expected back (KIP-345). */
export function completeJoin(change: ClassicChange): void {
  for (const member of [...change.members.values()]) {
    if (!hasJoined(member) && member.instanceId === undefined) change.remove(member.memberId)
  }
  if (change.members.size > 0 && !electLeader(change)) {
    // Only static members are left and none has come back: wait for another round.
    const deadline = change.now.monotonic + change.rebalanceTimeoutMs
    if (change.phase.state === 'PreparingRebalance') change.phase = { ...change.phase, deadline }
    return
  }
  change.beginGeneration()
  for (const member of change.members.values()) {
    if (member.waiting?.for === 'join') change.reply(member.waiting.ticket, joined(change, member))
    change.touch(member.memberId, member.sessionTimeoutMs)
    change.members.set(member.memberId, { ...member, waiting: undefined, isNew: false })
  }
}

/** The leader must be one who is there to answer. */
function electLeader(change: ClassicChange): boolean {
  const leader = change.leader === undefined ? undefined : change.members.get(change.leader)
  if (leader !== undefined && hasJoined(leader)) return true
  const next = [...change.members.values()].find(hasJoined)
  if (next === undefined) return false
  change.leader = next.memberId
  return true
}

/** What a member is told of the generation. The leader is told of everybody, for it assigns. */
export function joined(
  change: ClassicChange, { memberId }: ClassicMember, options?: { readonly skipAssignment: boolean },
): JoinGroupResponse {
  const isLeader = change.leader === memberId
  return {
    errorCode: ErrorCode.NONE,
    generationId: change.generation,
    protocolType: change.protocolType ?? null,
    protocolName: change.protocol ?? null,
    leader: change.leader ?? '',
    skipAssignment: options?.skipAssignment ?? false,
    memberId,
    members: isLeader ? [...change.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId ?? null,
      metadata: metadataOf(member, change.protocol),
    })) : [],
  }
}
