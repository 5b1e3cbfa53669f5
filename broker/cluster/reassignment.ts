// Which brokers have a partition, while that is being changed (KIP-455). Pure: decisions on an image.
//
//   asked for [4, 5, 1] of [1, 2, 3]  ->  replicas [4, 5, 1, 2, 3], adding [4, 5], removing [2, 3]
//   4 and 5 are in sync               ->  replicas [4, 5, 1]
//   called off                        ->  replicas [1, 2, 3]
//
// Nobody leaves before enough of those that stay are in sync. A replica that leaves removes its files, and its broker may
// be asked to take it again before it has heard of that; so leaving takes a new leader epoch, in which the leader refuses
// what was fetched before (R2), and no fetch can vouch for files that are about to go.

import { ErrorCode } from '../protocol/error-code.ts'
import { type Image, isAlive, type PartitionImage, settledReplicas, targetReplicas, topicNamed } from './image.ts'
import type { RulesOf } from './leadership.ts'
import type { PartitionChanged } from './metadata-record.ts'
import { problemWithAssignment, refusal, type Refusal } from './topic-changes.ts'

export interface WantedReassignment {
  readonly topic: string
  readonly partition: number
  /** In the order in which they are to lead; null calls off what goes on. */
  readonly replicas: readonly number[] | null
}

export interface ReassignmentRules {
  /** Whether there may be more or fewer replicas than before. */
  readonly mayChangeFactor: boolean
  readonly rulesOf: RulesOf
}

/** The part of a partition that a reassignment changes. */
type Placed = Pick<PartitionImage, 'leader' | 'replicas' | 'isr' | 'adding' | 'removing'>

interface Bounds {
  readonly minIsr: number
  canLead(brokerId: number): boolean
}

export function isMoving({ adding, removing }: Pick<PartitionImage, 'adding' | 'removing'>): boolean {
  return adding !== undefined || removing !== undefined
}

/** Those that a partition does not have yet, and is to have. */
export function enteringReplicas({ adding = [], removing = [] }: Pick<PartitionImage, 'adding' | 'removing'>): readonly number[] {
  return adding.filter((id) => !removing.includes(id))
}

/** Those that a partition is to have and cannot get: they are not in sync, and their brokers are away. */
export function lostReplicas(image: Image, partition: PartitionImage): readonly number[] {
  return enteringReplicas(partition).filter((id) => !partition.isr.includes(id) && !isAlive(image, id))
}

/** Whether a reassignment does not get on, and nothing is copied for it: nobody leads, or a broker that it waits for is away. */
export function isHanging(image: Image, partition: PartitionImage): boolean {
  if (!isMoving(partition)) return false
  if (!isAlive(image, partition.leader)) return true
  const isCopied = enteringReplicas(partition).every((id) => partition.isr.includes(id))
  // With all copies made it waits for those that stay: too few of them may be in sync.
  return isCopied ? !targetReplicas(partition).every((id) => isAlive(image, id)) : lostReplicas(image, partition).length > 0
}

/** The record that begins, redirects or calls off; undefined where nothing has to change. */
export function planReassignment(
  image: Image, wanted: WantedReassignment, { mayChangeFactor, rulesOf }: ReassignmentRules,
): PartitionChanged | Refusal | undefined {
  const topic = topicNamed(image, wanted.topic)
  const partition = topic?.partitions[wanted.partition]
  if (topic === undefined || partition === undefined) {
    return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find partition ${wanted.topic}-${wanted.partition}.`)
  }
  const bounds = boundsOf(image, topic.name, rulesOf)
  if (wanted.replicas === null) {
    if (!isMoving(partition)) return refusal(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, 'Nothing is being reassigned.')
    return recordOf(topic.id, partition, calledOff(partition, bounds))
  }
  const problem = problemWithAssignment([...image.brokers.keys()], wanted.replicas)
  if (problem !== undefined) return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
  const before = targetReplicas(partition).length
  if (!mayChangeFactor && before !== wanted.replicas.length) {
    return refusal(ErrorCode.INVALID_REPLICATION_FACTOR, `There are ${before} replica(s), and there would be ${wanted.replicas.length}.`)
  }
  const begun = redirected(partition, wanted.replicas)
  return recordOf(topic.id, partition, finished(begun, bounds) ?? begun)
}

/** Ends each reassignment whose new replicas are in sync. */
export function planFinishedReassignments(image: Image, rulesOf: RulesOf): PartitionChanged[] {
  const records: PartitionChanged[] = []
  for (const topic of image.topics.values()) {
    for (const partition of topic.partitions) {
      if (!isMoving(partition)) continue
      const after = finished(partition, boundsOf(image, topic.name, rulesOf))
      const record = after === undefined ? undefined : recordOf(topic.id, partition, after)
      if (record !== undefined) records.push(record)
    }
  }
  return records
}

function boundsOf(image: Image, topicName: string, rulesOf: RulesOf): Bounds {
  return { minIsr: rulesOf(topicName).minIsr, canLead: (brokerId) => isAlive(image, brokerId) }
}

/**
 * On the way to `target`: those that are needed no more stay until that is reached, but for copies that are not in sync. What
 * the partition had before it all began stays known, as the replicas that are not being added: one that an earlier target
 * brought, and this one drops, is in both lists.
 */
function redirected(partition: PartitionImage, target: readonly number[]): Placed {
  const { leader, isr, replicas: before, adding: begun = [] } = partition
  const settled = settledReplicas(partition)
  const removing = before.filter((id) => !target.includes(id) && (!begun.includes(id) || isr.includes(id)))
  const replicas = [...target, ...removing]
  return { leader, isr, replicas, ...lists(replicas.filter((id) => !settled.includes(id)), removing) }
}

/** Back to what it had, at once where enough of that is in sync. */
function calledOff(partition: PartitionImage, bounds: Bounds): Placed {
  const settled = settledReplicas(partition)
  return reduced(partition, settled, bounds) ?? redirected(partition, settled)
}

/** Undefined: not yet. Where replicas become fewer, all that stay are to be in sync, for there are fewer to lose. */
function finished(placed: Placed, bounds: Bounds): Placed | undefined {
  const { isr, removing = [] } = placed
  const entering = enteringReplicas(placed)
  if (!isMoving(placed) || !entering.every((id) => isr.includes(id))) return undefined
  const target = targetReplicas(placed)
  if (entering.length < removing.length && !target.every((id) => isr.includes(id))) return undefined
  return reduced(placed, target, bounds)
}

/** With these replicas alone; undefined where too few of them are in sync, or none of those can lead. */
function reduced(placed: Placed, replicas: readonly number[], { minIsr, canLead }: Bounds): Placed | undefined {
  const isr = placed.isr.filter((id) => replicas.includes(id))
  if (isr.length < Math.min(minIsr, replicas.length)) return undefined
  const leader = replicas.includes(placed.leader) ? placed.leader : replicas.find((id) => isr.includes(id) && canLead(id))
  return leader === undefined ? undefined : { leader, replicas, isr }
}

function lists(adding: readonly number[], removing: readonly number[]): Pick<Placed, 'adding' | 'removing'> {
  return { ...(adding.length > 0 ? { adding } : {}), ...(removing.length > 0 ? { removing } : {}) }
}

function recordOf(topicId: string, before: PartitionImage, after: Placed): PartitionChanged | undefined {
  if (isSame(before.replicas, after.replicas) && isSame(before.adding, after.adding) && isSame(before.removing, after.removing)) {
    return undefined
  }
  const { adding: _, removing: __, ...rest } = before
  const isNewTerm = after.leader !== before.leader || before.replicas.some((id) => !after.replicas.includes(id))
  return {
    type: 'partitionChanged', topicId, ...rest, ...after, elr: before.elr.filter((id) => after.replicas.includes(id)),
    leaderEpoch: before.leaderEpoch + (isNewTerm ? 1 : 0), partitionEpoch: before.partitionEpoch + 1,
  }
}

function isSame(one: readonly number[] = [], other: readonly number[] = []): boolean {
  return one.length === other.length && one.every((id, index) => id === other[index])
}
