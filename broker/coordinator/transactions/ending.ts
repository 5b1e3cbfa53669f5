import type { Uuid } from '../../runtime/random.ts'
import type { Transaction } from './transaction.ts'

/** That a transaction commits or aborts, which is decided and stored, and now to be told to all that are part of it. */
export interface Ending {
  readonly transaction: Transaction
  readonly coordinatorEpoch: number
}

/** A partition or a group that is still to be told. */
export type Target =
  | { readonly kind: 'partition'; readonly ending: Ending; readonly topicId: Uuid; readonly partition: number; tries: number }
  | { readonly kind: 'group'; readonly ending: Ending; readonly groupId: string; tries: number }

/** First attempts do not wait behind repeated ones, which may wait for long, nor partitions and groups for each other. */
export type Lane = 'first' | 'again' | 'group'

/** What came of telling: `told`, it knows, or need not know any more; `fenced`: it has heard of a later coordinator of the id. */
export type Outcome = 'told' | 'again' | 'fenced'

/** Who is reached where, and how. */
export interface Audience {
  /** The broker that answers for the target now; undefined: nobody; 'gone': there is no such thing any more. */
  brokerOf(target: Target): number | undefined | 'gone'
  /** Outcomes in the order of the targets. Rejects where it is not known whether any of them was told. */
  tell(brokerId: number, targets: readonly Target[], lane: Lane): Promise<readonly Outcome[]>
}

export function targetsOf(ending: Ending): Target[] {
  const { partitions, groups } = ending.transaction
  return [
    ...[...partitions].flatMap(([topicId, numbers]) =>
      [...numbers].map((partition): Target => ({ kind: 'partition', ending, topicId, partition, tries: 0 }))),
    ...[...groups].map((groupId): Target => ({ kind: 'group', ending, groupId, tries: 0 })),
  ]
}
