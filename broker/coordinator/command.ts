import { decideHeartbeat, type Heartbeat } from './classic/heartbeat.ts'
import { decideJoin, type Join } from './classic/join.ts'
import { decideLeave, type Leave } from './classic/leave.ts'
import { decideSync, type Sync } from './classic/sync.ts'
import { decideTimeouts } from './classic/timeouts.ts'
import type { ClassicGroup } from './classic/classic-group.ts'
import type { ConsumerGroup } from './consumer/consumer-group.ts'
import { type ConsumerHeartbeat, decideConsumerHeartbeat } from './consumer/heartbeat.ts'
import { decideConsumerTimeouts } from './consumer/timeouts.ts'
import { type Circumstances, type Decision, nothing, replyOnly, type Ticket } from './decision.ts'
import type { Group } from './group.ts'
import { joinOfClassic } from './migration/join.ts'
import { heartbeatOfClassic, leaveConsumerGroup, syncOfClassic } from './migration/requests.ts'
import { type CommitOffsets, decideCommit } from './offsets/commit.ts'
import { decideDeleteGroup, decideDeleteOffsets, decideForgetTopics, type DeleteOffsets } from './offsets/delete.ts'
import { decideExpiry } from './offsets/expiry.ts'
import {
  type CommitTransactionally, decideEndTransaction, decideTransactionalCommit, type EndTransaction,
} from './offsets/transactional.ts'
import type { Uuid } from '../runtime/random.ts'

/** Everything that can be asked of a group, or happen to it. */
export type Command =
  | { readonly kind: 'join' } & Join
  | { readonly kind: 'sync' } & Sync
  | { readonly kind: 'heartbeat' } & Heartbeat
  | { readonly kind: 'leave' } & Leave
  | { readonly kind: 'consumerHeartbeat' } & ConsumerHeartbeat
  | { readonly kind: 'commitOffsets' } & CommitOffsets
  | { readonly kind: 'commitTransactionally' } & CommitTransactionally
  | { readonly kind: 'endTransaction' } & EndTransaction
  | { readonly kind: 'deleteOffsets' } & DeleteOffsets
  | { readonly kind: 'deleteGroup'; readonly ticket: Ticket }
  | { readonly kind: 'timeouts'; readonly expired: readonly string[]; readonly overdue: readonly string[] }
  | { readonly kind: 'expireOffsets' }
  /** Answers the group itself, after all that was asked before, and once it is certain that no other broker has it. */
  | { readonly kind: 'confirm'; readonly ticket: Ticket }
  | { readonly kind: 'forgetTopics'; readonly topicIds: ReadonlySet<Uuid> }

/** Pure: what a command leads to depends on what is given here and on nothing else. */
export function decide(group: Group, command: Command, now: Circumstances): Decision {
  const consumers = consumersOf(group)
  switch (command.kind) {
    case 'join': return consumers ? joinOfClassic(consumers, command, now) : decideJoin(classicOf(group), command, now)
    case 'sync': return consumers ? syncOfClassic(consumers, command, now) : decideSync(classicOf(group), command, now)
    case 'heartbeat': return consumers ? heartbeatOfClassic(consumers, command) : decideHeartbeat(classicOf(group), command)
    case 'leave': return consumers ? leaveConsumerGroup(consumers, command, now) : decideLeave(classicOf(group), command, now)
    case 'consumerHeartbeat': return decideConsumerHeartbeat(group, command, now)
    case 'commitOffsets': return decideCommit(group, command, now)
    case 'commitTransactionally': return decideTransactionalCommit(group, command, now)
    case 'endTransaction': return decideEndTransaction(group, command, now)
    case 'deleteOffsets': return decideDeleteOffsets(group, command)
    case 'deleteGroup': return decideDeleteGroup(group, command.ticket, now)
    case 'timeouts': return decideAllTimeouts(group, command, now)
    case 'confirm': return replyOnly(command.ticket, group)
    case 'expireOffsets': return decideExpiry(group, now)
    case 'forgetTopics': return decideForgetTopics(group, command.topicIds)
  }
}

/** An empty consumer group gives way to a classic one, and the other way round (KIP-848). */
function classicOf({ membership }: Group): ClassicGroup | undefined {
  return membership?.kind === 'classic' ? membership : undefined
}

/** Classic requests to a consumer group with members are those of a migration (migration/). */
function consumersOf({ membership }: Group): ConsumerGroup | undefined {
  return membership?.kind === 'consumer' && membership.members.size > 0 ? membership : undefined
}

type Timeouts = Extract<Command, { readonly kind: 'timeouts' }>

function decideAllTimeouts({ membership }: Group, { expired, overdue }: Timeouts, now: Circumstances): Decision {
  if (membership === undefined) return nothing
  return membership.kind === 'classic'
    ? decideTimeouts(membership, expired, now)
    : decideConsumerTimeouts(membership, [...expired, ...overdue], now)
}
