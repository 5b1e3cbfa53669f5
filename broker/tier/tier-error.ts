import { BudgetError } from '../runtime/budget.ts'

/**
 * The tier could not do what it was asked. The facts are in the message and in `cause`; what to do follows from `code`.
 *
 * `away`: store or table were not reached, or were too slow; the same call may work later.
 * `damaged`: bytes and checksum, or object and manifest, disagree. Nothing of it is served, and nothing is deleted for it.
 * `missing`: the manifest names an object that the store says it does not have.
 * `fenced`: another leader has claimed the partition.
 * `gone`: the topic is being deleted.
 * `diverged`: the local log ends before the tier does; it was emptied, and has to begin at the tier's end.
 * `busy`: more is asked at once than the limits allow; try again.
 * `stopped`: the thread that does the tier's I/O has ended.
 */
export class TierError extends Error {
  readonly code: TierErrorCode
  constructor(code: TierErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'TierError'
    this.code = code
  }
}

export type TierErrorCode = 'away' | 'damaged' | 'missing' | 'fenced' | 'gone' | 'diverged' | 'busy' | 'stopped'

/** Whatever a dependency threw, as a `TierError`: what is not known to be something else is `away`. */
export function tierErrorOf(doing: string, cause: unknown): TierError {
  if (cause instanceof TierError) return cause
  const theirs = (cause as { code?: unknown } | undefined)?.code
  const code = cause instanceof BudgetError ? 'busy' : theirs === 'damaged' ? 'damaged' : 'away'
  return new TierError(code, `${doing}: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
}
