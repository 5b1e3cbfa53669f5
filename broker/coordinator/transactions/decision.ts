import type { Ticket } from '../decision.ts'
import type { Transaction, TransactionRecord } from './transaction.ts'
import type { TransactionSettings } from './transaction-settings.ts'

/** What a command leads to. Nothing of it happens before its durable records are in the table. */
export interface Decision {
  readonly records: readonly TransactionRecord[]
  readonly replies: readonly { readonly ticket: Ticket; readonly response: unknown }[]
}

/** Everything but the transaction and the command that a decision may depend on. */
export interface Circumstances {
  /** Wall clock, milliseconds. */
  readonly now: number
  readonly settings: TransactionSettings
  /** An id that no producer has, each time another; undefined: none is at hand. */
  takeProducerId(): number | undefined
}

export const nothing: Decision = { records: [], replies: [] }

export function replyOnly(ticket: Ticket, response: unknown): Decision {
  return { records: [], replies: [{ ticket, response }] }
}

/** Becomes durable, then is answered. */
export function become(transaction: Transaction, ticket: Ticket | undefined, response: unknown): Decision {
  return {
    records: [{ type: 'changed', transaction, isDurable: true }],
    replies: ticket === undefined ? [] : [{ ticket, response }],
  }
}
