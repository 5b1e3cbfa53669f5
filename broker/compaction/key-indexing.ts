import { MalformedMessage } from '../protocol/reader.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { markerIn } from '../log/marker.ts'
import type { KeyMap } from './key-map.ts'
import { openRecords } from './open-records.ts'
import { CleanedTransactions, type TransactionsAtStart } from './transactions.ts'

export interface IndexingOptions {
  readonly map: KeyMap
  /** The first dirty offset: keys of records before it are in no need of the map, for nothing was cleaned with them. */
  readonly startOffset: number
  readonly transactions: TransactionsAtStart
  /** Of one batch, decompressed. */
  readonly inflatedBytesMax: number
}

/**
 * The first half of a pass: takes in the dirty batches, in order, and learns the newest offset of each key. Records of aborted
 * transactions do not count.
 */
export class KeyIndexing {
  readonly #options: IndexingOptions
  readonly #transactions: CleanedTransactions
  #endOffset: number
  #unreadable = 0

  constructor(options: IndexingOptions) {
    this.#options = options
    this.#transactions = new CleanedTransactions(options.transactions)
    this.#endOffset = options.startOffset
  }

  /** Exclusive: up to here the map knows of every key. What lies behind is dirty still after the pass. */
  get endOffset(): number {
    return this.#endOffset
  }

  /** Batches that cannot be opened, under a checksum that is right. The second half leaves them as they are. */
  get unreadable(): number {
    return this.#unreadable
  }

  /** False: the map is full, and the batch is not in it as a whole. Nothing more may be added. */
  add(batch: RecordBatch): boolean {
    if (batch.isControl) this.#transactions.end(batch, markerIn(batch))
    else if (!this.#transactions.isAborted(batch) && !this.#addKeys(batch)) return false
    if (batch.endOffset > this.#endOffset) this.#endOffset = batch.endOffset
    return true
  }

  #addKeys(batch: RecordBatch): boolean {
    const { map, startOffset, inflatedBytesMax } = this.#options
    if (batch.endOffset <= startOffset) return true
    const { baseOffset } = batch
    try {
      const records = openRecords(batch, inflatedBytesMax)
      while (records.next()) {
        const offset = baseOffset + records.offsetDelta
        if (records.hasKey && offset >= startOffset && !map.put(records.bytes, records, offset)) return false
      }
    } catch (cause) {
      // Some of its keys may be in the map by now: for those it is newest, and it stays.
      if (!(cause instanceof MalformedMessage)) throw cause
      this.#unreadable++
    }
    return true
  }
}
