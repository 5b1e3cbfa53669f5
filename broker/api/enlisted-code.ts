import { ErrorCode } from '../protocol/error-code.ts'

export interface AskingVersion {
  readonly version: number
  /** The first version whose clients make what they write to part of the transaction by writing (KIP-890). */
  readonly enlistsSince: number
  /** The first version whose clients know TRANSACTION_ABORTABLE. */
  readonly abortableSince: number
  /** After which clients send the same again, and ask for nobody's place because of it: they have the right one already. */
  readonly again: ErrorCode
}

/** What a transaction's coordinator answered, in codes that clients of this version do the right thing about; as Kafka translates it. */
export function enlistedCode(code: ErrorCode, { version, enlistsSince, abortableSince, again }: AskingVersion): ErrorCode {
  switch (code) {
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.NOT_COORDINATOR:
    case ErrorCode.NETWORK_EXCEPTION:
      return again
    case ErrorCode.CONCURRENT_TRANSACTIONS: return version >= enlistsSince ? code : again
    case ErrorCode.TRANSACTION_ABORTABLE: return version >= abortableSince ? code : ErrorCode.INVALID_TXN_STATE
    case ErrorCode.PRODUCER_FENCED: return ErrorCode.INVALID_PRODUCER_EPOCH
    default: return code
  }
}
