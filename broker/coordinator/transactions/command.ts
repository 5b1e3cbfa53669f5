import type { Ticket } from '../decision.ts'
import { type Add, decideAdd, decideVerify, type Verify } from './add.ts'
import { type Circumstances, type Decision, replyOnly } from './decision.ts'
import { decideEnd, decideTimeout, decideTold, type End } from './end.ts'
import { decideExpiry, decideSettle } from './expiry.ts'
import { decideInit, type Init, isAllowedTimeout } from './init.ts'
import { isExhausted, type Producer, type Transaction } from './transaction.ts'
import type { TransactionSettings } from './transaction-settings.ts'

/** Everything that can be asked of a transactional id, or happen to it. */
export type Command =
  | { readonly kind: 'init' } & Init
  | { readonly kind: 'add' } & Add
  | { readonly kind: 'verify' } & Verify
  | { readonly kind: 'end' } & End
  /** Answers the transaction itself, after all that was asked before, or null where there is none. */
  | { readonly kind: 'look'; readonly ticket: Ticket }
  | { readonly kind: 'timeout'; readonly startedAt: number }
  | { readonly kind: 'told' } & Producer
  | { readonly kind: 'settle' }
  | { readonly kind: 'expire' }

/** Pure, but for the ids of producers that it takes: what a command leads to depends on what is given here. */
export function decide(transaction: Transaction | undefined, command: Command, now: Circumstances): Decision {
  switch (command.kind) {
    case 'init': return decideInit(transaction, command, now)
    case 'add': return decideAdd(transaction, command, now)
    case 'verify': return decideVerify(transaction, command)
    case 'end': return decideEnd(transaction, command, now)
    case 'look': return replyOnly(command.ticket, transaction ?? null)
    case 'timeout': return decideTimeout(transaction, command.startedAt, now)
    case 'told': return decideTold(transaction, command, now)
    case 'settle': return decideSettle(transaction)
    case 'expire': return decideExpiry(transaction, now)
  }
}

/** Whether the decision may take a producer id: one is fetched before. */
export function mayTakeProducerId(transaction: Transaction | undefined, command: Command, settings: TransactionSettings): boolean {
  const { kind } = command
  if (kind === 'init' && !isAllowedTimeout(command, settings)) return false
  if (transaction === undefined) return kind === 'init'
  return isExhausted(transaction.producerEpoch) && (kind === 'init' || kind === 'end' || kind === 'timeout')
}
