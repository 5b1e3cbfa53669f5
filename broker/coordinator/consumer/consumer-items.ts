import type { Uuid } from '../../runtime/random.ts'
import type { Json } from '../../table/table.ts'
import type { ConsumerHead } from '../group-items.ts'
import { assignmentOf, type Assignment, emptyAssignment } from './assignment.ts'
import type { ConsumerGroup, ConsumerMember } from './consumer-group.ts'
import type { ConsumerRecord } from './consumer-record.ts'

type StoredAssignment = [Uuid, number[]][]

type Restated = 'assigned' | 'state' | 'instanceId' | 'rackId' | 'topicRegex' | 'assignor' | 'classic'

export interface StoredConsumerMember extends Omit<ConsumerMember, Restated> {
  readonly instanceId?: string
  readonly rackId?: string
  readonly topicRegex?: string
  readonly assignor?: string
  readonly state: ConsumerMember['state']['kind']
  readonly assigned: StoredAssignment
  readonly revoking?: StoredAssignment
  readonly target?: StoredAssignment
  readonly classic?: { readonly sessionTimeoutMs: number; readonly protocols: readonly (readonly [name: string, metadata: string])[] }
}

/** A member and its target lie together: they are written and read together. */
export function consumerItem(group: ConsumerGroup, memberId: string): Json {
  const { state, assigned, classic, ...member } = group.members.get(memberId)!
  const target = group.targets.get(memberId)
  return {
    ...member,
    state: state.kind,
    assigned: storedAssignment(assigned),
    revoking: state.kind === 'unrevoked' ? storedAssignment(state.revoking) : undefined,
    target: target === undefined ? undefined : storedAssignment(target),
    classic: classic && {
      sessionTimeoutMs: classic.sessionTimeoutMs,
      protocols: classic.protocols.map(({ name, metadata }) => [name, metadata.toString('base64')]),
    },
  }
}

function storedAssignment(assignment: Assignment): Json {
  return [...assignment].map(([topicId, partitions]) => [topicId, partitions])
}

function readAssignment(stored: StoredAssignment | undefined): Assignment {
  if (stored === undefined || stored.length === 0) return emptyAssignment
  return assignmentOf(stored.map(([topicId, partitions]) => ({ topicId, partitions })))
}

/** `subscribedBy` tells which topics the members subscribe to: patterns are resolved anew. */
export function consumerRecords(
  { epoch, assignmentEpoch, topicsHash }: ConsumerHead, stored: readonly StoredConsumerMember[],
  subscribedBy: (members: readonly ConsumerMember[]) => ReadonlySet<string>,
): ConsumerRecord[] {
  const members = stored.map(({ target: _, revoking, assigned, state, classic, ...rest }): ConsumerMember => ({
    ...rest,
    instanceId: rest.instanceId, rackId: rest.rackId, topicRegex: rest.topicRegex, assignor: rest.assignor,
    assigned: readAssignment(assigned),
    state: state === 'unrevoked' ? { kind: state, revoking: readAssignment(revoking) } : { kind: state },
    classic: classic && {
      sessionTimeoutMs: classic.sessionTimeoutMs,
      protocols: classic.protocols.map(([name, metadata]) => ({ name, metadata: Buffer.from(metadata, 'base64') })),
    },
  }))
  const targets = new Map<string, Assignment>()
  for (const { memberId, target } of stored) if (target !== undefined) targets.set(memberId, readAssignment(target))
  return [
    { type: 'consumerEpoch', epoch, topicsHash, subscribed: subscribedBy(members) },
    ...members.map((member): ConsumerRecord => ({ type: 'consumerMember', member })),
    { type: 'consumerTarget', assignmentEpoch, targets },
  ]
}
