import { ClassicChange } from '../classic/classic-change.ts'
import { type ClassicGroup, type ClassicMember, consumerProtocolType, emptyClassicGroup, noAssignment } from '../classic/classic-group.ts'
import { chooseProtocol } from '../classic/protocol-choice.ts'
import { prepareRebalance } from '../classic/rebalance.ts'
import { subscribedTopics } from '../classic/subscribed-topics.ts'
import type { ConsumerGroup, ConsumerMember } from '../consumer/consumer-group.ts'
import type { Circumstances, Decision } from '../decision.ts'
import type { Topics } from '../topics.ts'
import { writeAssignment } from './embedded.ts'

/**
 * Where the last member of the new protocol has gone and classic ones are left, the group is a classic one again, and
 * rebalances. Undefined: the group stays what it is.
 */
export function planDowngrade(group: ConsumerGroup, now: Circumstances): Decision['records'] | undefined {
  const members = [...group.members.values()]
  if (members.length === 0 || members.length > now.settings.classicMembersMax) return undefined
  if (members.some(({ classic }) => classic === undefined)) return undefined
  const classicGroup = classicGroupOf(group.epoch, members.map((member) => classicMember(member, now.topics)), now)
  if (classicGroup === undefined) return undefined
  const change = new ClassicChange(classicGroup, now)
  prepareRebalance(change)
  return [{ type: 'classic', group: classicGroup, isDurable: true }, ...change.decision().records]
}

function classicMember({ classic, assigned, ...member }: ConsumerMember, topics: Topics): ClassicMember {
  const { sessionTimeoutMs, protocols } = classic!
  const { memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs } = member
  const first = protocols[0]
  return {
    memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols,
    assignment: first === undefined ? noAssignment : writeAssignment(assigned, { metadata: first.metadata, topics }),
    waiting: undefined,
    isNew: false,
  }
}

function classicGroupOf(generation: number, list: readonly ClassicMember[], { now }: Circumstances): ClassicGroup | undefined {
  const members = new Map(list.map((member) => [member.memberId, member]))
  const protocol = chooseProtocol(members)
  if (protocol === undefined) return undefined
  const protocolType = consumerProtocolType
  return {
    ...emptyClassicGroup,
    phase: { state: 'Stable', syncs: undefined },
    generation, protocolType, protocol, members,
    leader: list[0]?.memberId,
    statics: new Map(list.flatMap(({ instanceId, memberId }) => (instanceId === undefined ? [] : [[instanceId, memberId] as const]))),
    topics: subscribedTopics({ protocolType, protocol, members }),
    changedAt: now,
  }
}
