import type { ClassicGroup } from './classic/classic-group.ts'
import { consumerProtocolType } from './classic/classic-group.ts'
import { type ConsumerGroup, stateOf } from './consumer/consumer-group.ts'
import type { Head } from './group-items.ts'

export interface ListedGroup {
  readonly groupId: string
  readonly protocolType: string
  readonly groupState: string
  readonly groupType: 'classic' | 'consumer'
}

export function listed(groupId: string, membership: ClassicGroup | ConsumerGroup): ListedGroup {
  return membership.kind === 'classic'
    ? { groupId, protocolType: membership.protocolType ?? '', groupState: membership.phase.state, groupType: 'classic' }
    : { groupId, protocolType: consumerProtocolType, groupState: stateOf(membership), groupType: 'consumer' }
}

export function listedHead(groupId: string, head: Exclude<Head, { readonly kind: 'deleted' }>): ListedGroup {
  const protocolType = head.kind === 'classic' ? head.protocolType ?? '' : consumerProtocolType
  return { groupId, protocolType, groupState: head.state, groupType: head.kind }
}
