// Transactions in the table: how they are found, claimed, written and forgotten. The layout is in transaction-items.ts.

import { type Json, type Table, TableError } from '../../table/table.ts'
import type { Transaction } from './transaction.ts'
import { itemKey, itemOf, shardPartition, type StoredTransaction, transactionalIdOf, transactionOf } from './transaction-items.ts'

/** What the table holds of an id, as far as the one who claimed it knows. */
export interface Claim {
  /** Of the item; undefined: there is none. */
  readonly version: number | undefined
  /** Goes along with all that this coordinator says of the id: it is higher than that of any coordinator before. */
  readonly coordinatorEpoch: number
}

/**
 * `fenced`: another broker has claimed the id. `tooLarge`: it cannot be stored. `away`: nothing was written. `unknown`: it may
 * have been written, so the id must be loaded again.
 */
export type SaveResult =
  | { readonly kind: 'saved'; readonly claim: Claim }
  | { readonly kind: 'fenced' | 'tooLarge' | 'away' | 'unknown' }

export interface TransactionStoreOptions {
  readonly table: Table
  readonly brokerId: number
  readonly bytesMax: number
}

export interface Listed {
  readonly transactionalId: string
  readonly version: number
  readonly item: StoredTransaction
}

export class TransactionStore {
  readonly #options: TransactionStoreOptions

  constructor(options: TransactionStoreOptions) {
    this.#options = options
  }

  /** The ids of a shard. Throws `TableError`. */
  async list(shard: number): Promise<Listed[]> {
    const items = await this.#options.table.query(shardPartition(shard))
    return items.map((item) => ({
      transactionalId: transactionalIdOf(item), version: item.version, item: item.value as unknown as StoredTransaction,
    }))
  }

  /**
   * Claims an id by writing its item again. Undefined: another broker claimed it meanwhile. One that is unknown is claimed by its
   * first write. Throws `TableError`.
   */
  async load(transactionalId: string): Promise<{ transaction: Transaction | undefined; claim: Claim } | undefined> {
    const { table, brokerId } = this.#options
    const key = itemKey(transactionalId)
    const found = await table.get(key)
    if (found === undefined) return { transaction: undefined, claim: { version: undefined, coordinatorEpoch: 0 } }
    const before = found.value as unknown as StoredTransaction
    const item = { ...before, owner: brokerId, coordinatorEpoch: before.coordinatorEpoch + 1 }
    const transaction = transactionOf(transactionalId, item)
    // As with one that is unknown: who only asks for it does not write.
    if (transaction === undefined) return { transaction, claim: { version: found.version, coordinatorEpoch: item.coordinatorEpoch } }
    const { committed } = await table.commit([{ kind: 'put', key, value: item as unknown as Json, expect: found.version }])
    if (!committed) return undefined
    return { transaction, claim: { version: found.version + 1, coordinatorEpoch: item.coordinatorEpoch } }
  }

  /** Writes the transaction as it is to be; undefined: forgotten. Never throws. */
  async save(
    transactionalId: string, transaction: Transaction | undefined, { version, coordinatorEpoch }: Claim, now: number,
  ): Promise<SaveResult> {
    const { table, brokerId, bytesMax } = this.#options
    const value = itemOf(transaction, { owner: brokerId, coordinatorEpoch, now }) as unknown as Json
    // Only what is added makes it larger: whatever is stored can also be ended.
    if (transaction?.state === 'Ongoing' && Buffer.byteLength(JSON.stringify(value)) > bytesMax) return { kind: 'tooLarge' }
    try {
      const { committed } = await table.commit([{ kind: 'put', key: itemKey(transactionalId), value, expect: version ?? 'absent' }])
      return committed ? { kind: 'saved', claim: { version: (version ?? 0) + 1, coordinatorEpoch } } : { kind: 'fenced' }
    } catch (error) {
      if (!(error instanceof TableError)) throw error
      return { kind: error.code === 'invalid' ? 'tooLarge' : error.code }
    }
  }

  /** Removes what is left of an id that was forgotten long ago. Throws `TableError`. */
  async bury(transactionalId: string, version: number): Promise<void> {
    await this.#options.table.commit([{ kind: 'delete', key: itemKey(transactionalId), expect: version }])
  }
}
