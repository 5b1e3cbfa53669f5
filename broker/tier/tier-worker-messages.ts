// What passes between the broker's thread and the one that does the tier's I/O:
//
//   to the thread     { id, call, args }   one call of `TierIo`; each call's arguments are plain data
//                     { abort: id }        the caller has stopped waiting for an upload
//                     { give: buffer }     the memory of a read's batches comes back, to be used again
//                     'close'
//   from the thread   'opened'             once, at the start
//                     { id, value }        in the order in which calls end; read batches change hands, uncopied
//                     { id, error }
//                     { fault }            something failed that costs speed only

import type { ObjectStoreAddress } from '../objects/open-object-store.ts'
import type { WorkerCall } from '../runtime/worker-calls.ts'
import type { TierErrorCode } from './tier-error.ts'
import type { TierIo, TierIoLimits } from './tier-io.ts'

export type TierIoCall = Exclude<keyof TierIo, 'close'>

export interface CallMessage extends WorkerCall {
  readonly call: TierIoCall
}

export type ToTierWorker = CallMessage | { readonly abort: number } | { readonly give: ArrayBuffer } | 'close'

export type FromTierWorker =
  | 'opened'
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: TierErrorCode; readonly message: string } }
  | { readonly fault: string }

/** What the thread makes its own object store, disk and cache from. */
export interface TierWorkerData {
  readonly store: ObjectStoreAddress
  /** Makes a bucket where there is none, for development. */
  readonly createMissing?: boolean
  readonly cacheDirectory: string
  readonly limits: TierIoLimits
}
