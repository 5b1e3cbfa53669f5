// The transactional batches of a Produce request (KIP-98, KIP-890). Since v12 writing to a partition makes it part of the
// transaction; older clients have said so before, and are only believed once its coordinator confirms it.

import type { Transaction } from '../coordinator/enlister.ts'
import type { Appended } from '../log/partition-log.ts'
import { failed } from '../log/pending-appends.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { AppendOptions, Partition } from '../replication/partition.ts'
import type { TransactionalBatch } from '../replication/transactional-appends.ts'
import { enlistedCode } from './enlisted-code.ts'
import type { PartitionContext } from './partition-context.ts'

export interface Transactional extends AppendOptions {
  readonly transactionalId: string | null
  readonly version: number
}

/** The first version whose clients make partitions part of a transaction by writing to them. */
const enlistsSince = 12
/** The first version whose clients know TRANSACTION_ABORTABLE. */
const abortableSince = 11

/** Admits a batch in the order of the calls for each producer. `batch`: what its header says, of which nothing was checked. */
export function appendTransactional(
  { enlister }: Pick<PartitionContext, 'enlister'>, partition: Partition,
  { records, batch, of }: { readonly records: Buffer; readonly batch: TransactionalBatch; readonly of: Transactional },
): Promise<Appended> {
  const { transactionalId, version } = of
  const append = () => partition.append(records, of)
  // The log has a refusal of its own for a transactional batch of nobody.
  if (batch.producerId < 0) return append()
  if (transactionalId === null) {
    return Promise.resolve(failed(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'a transactional batch, and no transactional id'))
  }
  const { producerId, producerEpoch } = batch
  const transaction: Transaction = { transactionalId, producerId, producerEpoch, verifyOnly: version < enlistsSince }
  return partition.transactional.append({
    batch, append, beginsAtZero: version >= enlistsSince,
    ask: async () => {
      const code = await enlister.partition(transaction, { topic: partition.topicName, partition: partition.partition })
      return producedCode(code, version)
    },
  })
}

/** What a transaction's coordinator answered, as producers of this version are told. */
export function producedCode(code: ErrorCode, version: number): ErrorCode {
  return enlistedCode(code, { version, enlistsSince, abortableSince, again: ErrorCode.NOT_ENOUGH_REPLICAS })
}
