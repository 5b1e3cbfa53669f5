import type { Assignment } from '../assignment.ts'
import type { Assignor, AssignorInput, AssignorMember } from './assignor.ts'

/**
 * Each topic is cut into one range per subscriber, the first ones a partition longer where it does not come out even.
 * Members are taken in the same order for every topic, so that topics with as many partitions are cut alike and can be
 * joined. Static members come first, by their instance ids: a restart does not move them.
 */
export const rangeAssignor: Assignor = {
  name: 'range',

  assign({ members, partitionCounts }: AssignorInput) {
    const sorted = [...members].sort(inOrder)
    const drafts = new Map(sorted.map(({ memberId }) => [memberId, new Map<string, readonly number[]>()]))
    for (const [topicId, partitionCount] of partitionCounts) {
      const subscribers = sorted.filter(({ topicIds }) => topicIds.includes(topicId))
      let start = 0
      subscribers.forEach(({ memberId }, index) => {
        const length = Math.floor(partitionCount / subscribers.length) + (index < partitionCount % subscribers.length ? 1 : 0)
        if (length > 0) drafts.get(memberId)!.set(topicId, Array.from({ length }, (_, step) => start + step))
        start += length
      })
    }
    return drafts satisfies ReadonlyMap<string, Assignment>
  },
}

function inOrder(one: AssignorMember, other: AssignorMember): number {
  if (one.instanceId !== undefined && other.instanceId !== undefined) return compare(one.instanceId, other.instanceId)
  if (one.instanceId !== undefined) return -1
  if (other.instanceId !== undefined) return 1
  return compare(one.memberId, other.memberId)
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
