import type { AttributeValue } from './dynamodb-items.ts'

// What an error of DynamoDB means to a call. The names are those of the API reference; the SDK puts them into
// `name`, and what happened below HTTP into `code`.

/** What to do about a failed request. */
export type Verdict =
  /** A condition did not hold. Per write: whether it was this one, and the item that it found. */
  | { readonly kind: 'conflict'; readonly found: readonly FoundItem[] }
  /** Try again. `mayBeWritten`: this request may have been, or may still be, carried out. */
  | { readonly kind: 'retry'; readonly mayBeWritten: boolean }
  /** The request itself is wrong and would never work. */
  | { readonly kind: 'invalid' }
  /** Nothing was written, and trying again at once is of no use: no table, no credentials, no permission. */
  | { readonly kind: 'refused' }

export interface FoundItem {
  readonly hasConflict: boolean
  readonly item: Readonly<Record<string, AttributeValue>> | undefined
}

/** The parts of the SDK's errors that are looked at. */
interface SdkError {
  readonly name?: string
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly Item?: FoundItem['item']
  readonly CancellationReasons?: readonly { readonly Code?: string; readonly Item?: FoundItem['item'] }[]
}

const throttled: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  // Another transaction holds one of the items (both forms: alone, and as a reason of a cancelled transaction).
  'TransactionConflictException',
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
])

const invalid: ReadonlySet<string> = new Set([
  'ValidationException',
  'ValidationError',
  'ItemCollectionSizeLimitExceededException',
  'ItemCollectionSizeLimitExceeded',
  'IdempotentParameterMismatchException',
])

/** The request never left: nobody listens, or the name has no address (what October 2025 looked like). */
const unsent: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

export function judge(error: unknown): Verdict {
  const { name = '', code = '', $metadata, Item, CancellationReasons = [] } = error as SdkError
  if (name === 'ConditionalCheckFailedException') return { kind: 'conflict', found: [{ hasConflict: true, item: Item }] }
  if (name === 'TransactionCanceledException') return judgeCancellation(CancellationReasons)
  if (throttled.has(name) || unsent.has(code)) return { kind: 'retry', mayBeWritten: false }
  if (invalid.has(name)) return { kind: 'invalid' }
  const status = $metadata?.httpStatusCode
  // Other refusals are definite. `TransactionInProgressException` is not: an earlier try of ours is under way.
  if (name === 'CredentialsProviderError') return { kind: 'refused' }
  if (status !== undefined && status >= 400 && status < 500 && name !== 'TransactionInProgressException') {
    return { kind: 'refused' }
  }
  return { kind: 'retry', mayBeWritten: true }
}

/** One reason per write, in order; `None` for those that were not in the way. */
function judgeCancellation(reasons: NonNullable<SdkError['CancellationReasons']>): Verdict {
  const found = reasons.map(({ Code, Item }) => ({ hasConflict: Code === 'ConditionalCheckFailed', item: Item }))
  if (found.some(({ hasConflict }) => hasConflict)) return { kind: 'conflict', found }
  if (reasons.some(({ Code = '' }) => throttled.has(Code))) return { kind: 'retry', mayBeWritten: false }
  if (reasons.some(({ Code = '' }) => invalid.has(Code))) return { kind: 'invalid' }
  return { kind: 'retry', mayBeWritten: true }
}
