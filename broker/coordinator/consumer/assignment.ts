import type { Uuid } from '../../runtime/random.ts'

/** Partitions by topic, ascending; no topic without any. */
export type Assignment = ReadonlyMap<Uuid, readonly number[]>

export const emptyAssignment: Assignment = new Map()

export function assignmentOf(topicPartitions: readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[]): Assignment {
  const byTopic = new Map<Uuid, Set<number>>()
  for (const { topicId, partitions } of topicPartitions) {
    const known = byTopic.get(topicId) ?? new Set()
    for (const partition of partitions) known.add(partition)
    if (known.size > 0) byTopic.set(topicId, known)
  }
  return new Map([...byTopic].map(([topicId, partitions]) => [topicId, [...partitions].sort((one, other) => one - other)]))
}

export function topicPartitionsOf(assignment: Assignment): { topicId: Uuid; partitions: readonly number[] }[] {
  return [...assignment].map(([topicId, partitions]) => ({ topicId, partitions }))
}

export function partitionCountOf(assignment: Assignment): number {
  let count = 0
  for (const partitions of assignment.values()) count += partitions.length
  return count
}

export function contains(assignment: Assignment, topicId: Uuid, partition: number): boolean {
  return assignment.get(topicId)?.includes(partition) ?? false
}

function filtered(assignment: Assignment, keep: (topicId: Uuid, partition: number) => boolean): Assignment {
  const result = new Map<Uuid, readonly number[]>()
  for (const [topicId, partitions] of assignment) {
    const kept = partitions.filter((partition) => keep(topicId, partition))
    if (kept.length > 0) result.set(topicId, kept)
  }
  return result
}

export function intersection(one: Assignment, other: Assignment): Assignment {
  const sets = setsOf(other)
  return filtered(one, (topicId, partition) => sets.get(topicId)?.has(partition) ?? false)
}

export function minus(one: Assignment, other: Assignment): Assignment {
  const sets = setsOf(other)
  return filtered(one, (topicId, partition) => !(sets.get(topicId)?.has(partition) ?? false))
}

export function union(one: Assignment, other: Assignment): Assignment {
  if (other.size === 0) return one
  return assignmentOf([...topicPartitionsOf(one), ...topicPartitionsOf(other)])
}

export function isEqual(one: Assignment, other: Assignment): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const [topicId, partitions] of one) {
    const others = other.get(topicId)
    if (others === undefined || others.length !== partitions.length) return false
    if (!partitions.every((partition, index) => partition === others[index])) return false
  }
  return true
}

function setsOf(assignment: Assignment): Map<Uuid, Set<number>> {
  return new Map([...assignment].map(([topicId, partitions]) => [topicId, new Set(partitions)]))
}
