// The uniform assignor: members differ by as little as their subscriptions allow, and keep what they have where that
// does not stand against it.
//
// First everybody keeps what it may; then free partitions go to whoever has least. What is left of unevenness is easily
// levelled where all subscribe to the same topics. Where subscriptions differ it is removed along the shortest chain of
// hand-overs from a member with more to one with at least two less, until there is none: for such matchings that is
// known to end in the best balance there is.

import type { Uuid } from '../../../runtime/random.ts'
import type { Assignment } from '../assignment.ts'
import type { Assignor, AssignorInput } from './assignor.ts'
import { balance } from './balance.ts'
import { Holder } from './holder.ts'
import { areLikeMinded, level } from './level.ts'

export const uniformAssignor: Assignor = {
  name: 'uniform',

  assign(input: AssignorInput) {
    const holders = input.members.map((member) => new Holder(member))
    const free = keepWhatTheyHave(holders, input)
    giveAway(free, holders)
    if (areLikeMinded(holders)) level(holders)
    else balance(holders)
    return new Map(holders.map((holder): [string, Assignment] => [holder.memberId, holder.assignment()]))
  },
}

interface FreePartitions {
  readonly topicId: Uuid
  readonly partitions: readonly number[]
}

/** What nobody has. Should two members claim a partition, the first keeps it. */
function keepWhatTheyHave(holders: readonly Holder[], { members, partitionCounts }: AssignorInput): FreePartitions[] {
  const isTaken = new Map([...partitionCounts].map(([topicId, count]) => [topicId, new Array<boolean>(count).fill(false)]))
  members.forEach(({ current }, index) => {
    const holder = holders[index]!
    for (const [topicId, partitions] of current) {
      const taken = isTaken.get(topicId)
      if (taken === undefined || !holder.mayHold(topicId)) continue
      for (const partition of partitions) {
        if (taken[partition] !== false) continue
        taken[partition] = true
        holder.take(topicId, partition)
      }
    }
  })
  return [...isTaken].map(([topicId, taken]) => ({ topicId, partitions: [...taken.keys()].filter((partition) => !taken[partition]) }))
}

/** Topics with few subscribers first: their partitions can go nowhere else. */
function giveAway(free: readonly FreePartitions[], holders: readonly Holder[]): void {
  const offers = free.map(
    ({ topicId, partitions }) => ({ topicId, partitions, takers: holders.filter((holder) => holder.mayHold(topicId)) })
  )
  offers.sort((one, other) => one.takers.length - other.takers.length)
  for (const { topicId, partitions, takers } of offers) {
    // Takers by how many partitions they have: always give to the lowest level, and raise it when that is used up.
    const byCount = [...takers].sort((one, other) => one.count - other.count)
    let next = 0
    for (const partition of partitions) {
      if (byCount.length === 0) break
      const level = byCount[0]!.count
      if (next >= byCount.length || byCount[next]!.count > level) {
        next = 0
        byCount.sort((one, other) => one.count - other.count)
      }
      byCount[next]!.take(topicId, partition)
      next += 1
    }
  }
}
