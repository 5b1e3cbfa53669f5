import type { Uuid } from '../../runtime/random.ts'
import { type Assignment, contains, emptyAssignment, intersection, isEqual, minus, union } from './assignment.ts'
import { type ConsumerGroup, type ConsumerMember, type MemberState, revokingOf, stable } from './consumer-group.ts'

export interface Towards {
  readonly group: ConsumerGroup
  /** What the member says that it owns; undefined: it did not say, as in most heartbeats. */
  readonly owned: Assignment | undefined
}

/**
 * The next step of a member towards its target. It is never given a partition that another member has or is still
 * giving up, so no partition ever has two owners; and it reaches the assignment epoch only without partitions that it
 * is to lose. Returns the same member where nothing changes.
 */
export function reconcile(member: ConsumerMember, { group, owned }: Towards): ConsumerMember {
  switch (member.state.kind) {
    case 'stable':
      return member.epoch === group.assignmentEpoch ? member : nextStep(member, { group, owned, epoch: member.epoch })
    case 'unrevoked':
      // It must say what it owns, and none of that may be what it was to give up.
      if (holdsAny(owned, member.state.revoking)) return member
      return nextStep(member, { group, owned, epoch: member.epoch + 1 })
    case 'unreleased':
      return nextStep(member, { group, owned, epoch: member.epoch })
  }
}

function holdsAny(owned: Assignment | undefined, revoking: Assignment): boolean {
  return owned === undefined || intersection(owned, revoking).size > 0
}

function nextStep(member: ConsumerMember, { group, owned, epoch }: Towards & { readonly epoch: number }): ConsumerMember {
  const target = group.targets.get(member.memberId) ?? emptyAssignment
  const kept = intersection(member.assigned, target)
  const revoking = minus(member.assigned, kept)
  if (revoking.size > 0 && holdsAny(owned, revoking)) {
    return moved(member, { epoch, assigned: kept, state: { kind: 'unrevoked', revoking } })
  }
  const wanted = minus(target, kept)
  const taken = takenAmong(wanted, group)
  const state: MemberState = taken.size > 0 ? { kind: 'unreleased' } : stable
  return moved(member, { epoch: group.assignmentEpoch, assigned: union(kept, minus(wanted, taken)), state })
}

/** Which of these somebody has, or has still to give up: the member itself, too. */
function takenAmong(wanted: Assignment, { members }: ConsumerGroup): Assignment {
  const taken = new Map<Uuid, readonly number[]>()
  for (const [topicId, partitions] of wanted) {
    const holders = [...members.values()].filter(({ assigned, state }) =>
      assigned.has(topicId) || (state.kind === 'unrevoked' && state.revoking.has(topicId)))
    const found = partitions.filter((partition) => holders.some((holder) =>
      contains(holder.assigned, topicId, partition) || contains(revokingOf(holder), topicId, partition)))
    if (found.length > 0) taken.set(topicId, found)
  }
  return taken
}

/** Do others still hold something of the member's target? */
export function isHeldUp(member: ConsumerMember, group: ConsumerGroup): boolean {
  const target = group.targets.get(member.memberId) ?? emptyAssignment
  return takenAmong(minus(target, member.assigned), group).size > 0
}

type Step = Pick<ConsumerMember, 'epoch' | 'assigned' | 'state'>

function moved(member: ConsumerMember, step: Step): ConsumerMember {
  const isSame = member.epoch === step.epoch && isEqual(member.assigned, step.assigned) && isSameState(member.state, step.state)
  return isSame ? member : { ...member, ...step, previousEpoch: member.epoch }
}

function isSameState(one: MemberState, other: MemberState): boolean {
  if (one.kind !== other.kind) return false
  return one.kind !== 'unrevoked' || other.kind !== 'unrevoked' || isEqual(one.revoking, other.revoking)
}
