import type { Json } from '../../table/table.ts'
import type { ClassicHead } from '../group-items.ts'
import { type ClassicGroup, type ClassicMember, metadataOf } from './classic-group.ts'
import { subscribedTopics } from './subscribed-topics.ts'

/** Of what a member can do, only what was chosen is kept. */
export function classicItem({ protocol }: ClassicGroup, member: ClassicMember): Json {
  const { memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, assignment } = member
  return {
    memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs,
    metadata: metadataOf(member, protocol).toString('base64'), assignment: assignment.toString('base64'),
  }
}

export interface StoredClassicMember {
  readonly memberId: string
  readonly instanceId?: string
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly metadata: string
  readonly assignment: string
}

/** The group as of the generation that was stored, with nobody waiting. */
export function classicGroupOf(head: ClassicHead & { readonly changedAt: number }, stored: readonly StoredClassicMember[]): ClassicGroup {
  const { generation, protocolType, protocol, leader, changedAt } = head
  const members = new Map(stored.map(({ metadata, assignment, instanceId, ...rest }): [string, ClassicMember] => [rest.memberId, {
    ...rest,
    instanceId,
    protocols: protocol === undefined ? [] : [{ name: protocol, metadata: Buffer.from(metadata, 'base64') }],
    assignment: Buffer.from(assignment, 'base64'),
    waiting: undefined,
    isNew: false,
  }]))
  const statics = new Map<string, string>()
  for (const { memberId, instanceId } of members.values()) if (instanceId !== undefined) statics.set(instanceId, memberId)
  return {
    kind: 'classic',
    phase: members.size === 0 ? { state: 'Empty' } : { state: 'Stable', syncs: undefined },
    generation, protocolType, protocol, leader, members, statics,
    pendingJoins: new Set(),
    topics: subscribedTopics({ protocolType, protocol, members }),
    changedAt,
  }
}
