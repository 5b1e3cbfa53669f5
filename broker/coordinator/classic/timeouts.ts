import { type Circumstances, type Decision, nothing } from '../decision.ts'
import { ClassicChange } from './classic-change.ts'
import { type ClassicGroup, classicDueAt } from './classic-group.ts'
import { joinTimeIsUp, prepareRebalance, rebalance } from './rebalance.ts'

/** `expired` are the members, or the ids given out, whose sessions are over. */
export function decideTimeouts(group: ClassicGroup, expired: readonly string[], now: Circumstances): Decision {
  const silent = expired.filter((memberId) => isSilent(group, memberId))
  const isDue = classicDueAt(group) <= now.monotonic
  if (silent.length === 0 && !isDue) return nothing
  const change = new ClassicChange(group, now)
  for (const memberId of silent) change.remove(memberId)
  const lostMember = silent.some((memberId) => group.members.has(memberId))
  if (change.state === 'PreparingRebalance' || (lostMember && change.state !== 'Empty')) rebalance(change)
  if (isDue && change.phase === group.phase) timeIsUp(change)
  return change.decision()
}

/** Who waits for an answer of ours need not send heartbeats, unless it never was in a generation. */
function isSilent(group: ClassicGroup, memberId: string): boolean {
  const member = group.members.get(memberId)
  if (member === undefined) return group.pendingJoins.has(memberId)
  return member.isNew || member.waiting === undefined
}

function timeIsUp(change: ClassicChange): void {
  if (change.state === 'PreparingRebalance') return joinTimeIsUp(change)
  // Members who were told of a generation and never asked for their part of it.
  for (const memberId of change.pendingSyncs?.members ?? []) change.remove(memberId)
  prepareRebalance(change)
}
