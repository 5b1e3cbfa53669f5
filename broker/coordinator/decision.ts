import type { Rules } from '../runtime/rules.ts'
import type { GroupRecord } from './group.ts'
import type { GroupSettings } from './group-settings.ts'
import type { Topics } from './topics.ts'

/** What a command leads to. Nothing of it happens before its durable records are in the table. */
export interface Decision {
  readonly records: readonly GroupRecord[]
  readonly replies: readonly Reply[]
  /** Sessions that begin anew, in memory. */
  readonly touched: readonly Touch[]
}

/** Names a request that waits for its answer. */
export type Ticket = number

export interface Reply {
  readonly ticket: Ticket
  /** A response of the API that the ticket was drawn for. */
  readonly response: unknown
}

export interface Touch {
  readonly memberId: string
  readonly timeoutMs: number
}

/** Everything but the group and the command that a decision may depend on. */
export interface Circumstances {
  /** Wall clock, milliseconds. */
  readonly now: number
  /** Monotonic milliseconds: deadlines are in these. */
  readonly monotonic: number
  readonly settings: GroupSettings
  readonly topics: Topics
  readonly rules?: Rules | undefined
}

/** Who sent a request. */
export interface Client {
  readonly clientId: string
  readonly clientHost: string
}

export const nothing: Decision = { records: [], replies: [], touched: [] }

export function replyOnly(ticket: Ticket, response: unknown): Decision {
  return { records: [], replies: [{ ticket, response }], touched: [] }
}
