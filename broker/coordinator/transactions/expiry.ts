import { type Circumstances, type Decision, nothing } from './decision.ts'
import { isOpen, isPreparing, type Transaction } from './transaction.ts'

/** Forgets an id that nobody has used for `transactional.id.expiration.ms`. */
export function decideExpiry(transaction: Transaction | undefined, { now, settings }: Circumstances): Decision {
  if (transaction === undefined || isOpen(transaction) || isPreparing(transaction)) return nothing
  return now - transaction.changedAt < settings.idExpirationMs ? nothing : { records: [{ type: 'forgotten' }], replies: [] }
}

/** Writes down that a transaction is complete, now that no other one has made it plain. */
export function decideSettle(transaction: Transaction | undefined): Decision {
  if (transaction === undefined) return nothing
  return { records: [{ type: 'changed', transaction, isDurable: true }], replies: [] }
}
