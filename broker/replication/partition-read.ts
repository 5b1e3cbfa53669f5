// What is asked of a partition's records, and what comes of it.

import type { AbortedRange } from './cold-tier.ts'

export interface ReadRequest {
  readonly offset: number
  readonly bytesMax: number
  /** One batch is returned even if it is larger than `bytesMax`. */
  readonly minOneBatch: boolean
  /** Only what is below the last stable offset, with the transactions that were aborted. */
  readonly isCommittedOnly: boolean
  /** Monotonic milliseconds at which an answer is due. */
  readonly deadline: number
  /** What the client believes; -1: it does not say. */
  readonly currentLeaderEpoch: number
  /** Of the last record that the client has; -1: it does not say. */
  readonly lastFetchedEpoch: number
}

/** The same of another broker, which keeps a copy. */
export interface FollowerRead extends Pick<ReadRequest, 'offset' | 'bytesMax' | 'minOneBatch' | 'currentLeaderEpoch' | 'lastFetchedEpoch'> {
  readonly brokerId: number
  /** Of its incarnation. */
  readonly brokerEpoch: number
  /** Whether the same request was read for before, and waited for more. */
  readonly isAgain?: boolean
}

export interface PartitionRead {
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly buffers: readonly Buffer[]
  readonly bytes: number
  /** Gives the memory of `buffers` back, once they were sent or nobody wants them. */
  release(): void
  /** Null unless only committed records were asked for. */
  readonly aborted: readonly AbortedRange[] | null
  /** Where the client's log and ours part, when they do (KIP-595). */
  readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number } | undefined
}
