import type { Uuid } from '../../runtime/random.ts'
import type { Topics } from '../topics.ts'
import { type Assignment, emptyAssignment, isEqual } from './assignment.ts'
import type { Assignor } from './assignors/assignor.ts'
import { rangeAssignor } from './assignors/range.ts'
import { uniformAssignor } from './assignors/uniform.ts'
import type { ConsumerGroup, ConsumerMember } from './consumer-group.ts'
import type { TargetRecord } from './consumer-record.ts'
import { topicsOf } from './subscriptions.ts'

/** As in Kafka's group.consumer.assignors; the first is the default. */
export const assignors: ReadonlyMap<string, Assignor> = new Map(
  [uniformAssignor, rangeAssignor].map((assignor) => [assignor.name, assignor])
)

/** The one that most members ask for; who asks for none does not vote. */
export function preferredAssignor({ members }: ConsumerGroup): Assignor {
  const votes = new Map<string, number>()
  for (const { assignor } of members.values()) if (assignor !== undefined) votes.set(assignor, (votes.get(assignor) ?? 0) + 1)
  let best: string | undefined
  for (const [name, count] of votes) if (best === undefined || count > votes.get(best)!) best = name
  return assignors.get(best ?? uniformAssignor.name) ?? uniformAssignor
}

/** The targets of all members for the group's epoch. A target that did not change stays the same object. */
export function computeTargets(group: ConsumerGroup, topics: Topics): TargetRecord {
  const partitionCounts = new Map<Uuid, number>()
  // Most members of a group subscribe to the same.
  const known = new Map<string, readonly Uuid[]>()
  const topicIdsOf = (member: ConsumerMember) => {
    const subscription = JSON.stringify([member.topicNames, member.topicRegex])
    let topicIds = known.get(subscription)
    if (topicIds === undefined) {
      const subscribed = topicsOf(member, topics)
      for (const { id, partitionCount } of subscribed) partitionCounts.set(id, partitionCount)
      known.set(subscription, (topicIds = subscribed.map(({ id }) => id)))
    }
    return topicIds
  }
  const members = [...group.members.values()].map((member) => {
    const { memberId, instanceId } = member
    return { memberId, instanceId, topicIds: topicIdsOf(member), current: group.targets.get(memberId) ?? emptyAssignment }
  })
  const found = preferredAssignor(group).assign({ members, partitionCounts })
  const targets = new Map(members.map(({ memberId, current }): [string, Assignment] => {
    const target = found.get(memberId) ?? emptyAssignment
    return [memberId, isEqual(target, current) ? current : target]
  }))
  return { type: 'consumerTarget', assignmentEpoch: group.epoch, targets }
}
