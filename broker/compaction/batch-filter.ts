// The second half of a pass: what stays of each batch, from the start of the log on. Batches are dropped, or lose records;
// what stays keeps its offsets, its place and its bytes, unless it lost something. After Kafka's cleaner (KIP-58, KIP-534):
//
//   a record            stays where it is the newest of its key in the map, or lies behind what the map covers
//   a tombstone         too, until its batch's delete horizon: the first pass that meets it sets that
//   without a key       goes: the topic was not compacted when it came
//   aborted             goes
//   a marker            stays while records of its transaction are seen, from the pass after on until its delete horizon
//   a producer's last   batch stays, if need be without records: its sequence says what the producer may send next

import type { LastOfProducer } from '../log/log-compaction.ts'
import type { AbortedTransaction } from '../log/sealed-segment.ts'
import { markerIn } from '../log/marker.ts'
import { MalformedMessage } from '../protocol/reader.ts'
import { RecordBatch } from '../protocol/record-batch.ts'
import type { KeyMap } from './key-map.ts'
import { openRecords } from './open-records.ts'
import type { RecordCursor } from './record-cursor.ts'
import { emptied, KeptRecords } from './rewritten-batch.ts'
import { CleanedTransactions, type TransactionsAtStart } from './transactions.ts'

export type { LastOfProducer } from '../log/log-compaction.ts'

export interface FilterOptions {
  readonly map: Pick<KeyMap, 'get'>
  /** Exclusive: what the map covers (`KeyIndexing.endOffset`), where a batch ends. */
  readonly mapEndOffset: number
  readonly transactions: TransactionsAtStart
  /** By producer id. */
  readonly lastOfProducers: ReadonlyMap<number, LastOfProducer>
  /** The end of all that is given to the filter, exclusive: the batch that ends there stays, if need be without records. */
  readonly roundEndOffset: number
  /** Wall clock, milliseconds: of the whole pass, so that the same pass run again comes to the same. */
  readonly now: number
  readonly deleteRetentionMs: number
  /** Of one batch, decompressed. */
  readonly inflatedBytesMax: number
}

export interface FilterCounts {
  readonly batchesRead: number
  readonly bytesRead: number
  readonly bytesKept: number
  readonly recordsRead: number
  readonly recordsKept: number
  /** Batches that cannot be opened: they stay as they are. */
  readonly unreadable: number
  /** The latest delete horizon in what stays, wall clock in milliseconds: behind it another pass has something to remove. -1: none. */
  readonly latestHorizon: number
}

/** What becomes of a batch that has no records any more. */
type Fate = 'goes' | 'stays empty'

export class BatchFilter {
  readonly #options: FilterOptions
  readonly #transactions: CleanedTransactions
  readonly #counts = { batchesRead: 0, bytesRead: 0, bytesKept: 0, recordsRead: 0, recordsKept: 0, unreadable: 0, latestHorizon: -1 }
  /** Aborted transactions whose entry in an index has to stay, in the order of their markers. */
  readonly abortedKept: AbortedTransaction[] = []

  constructor(options: FilterOptions) {
    this.#options = options
    this.#transactions = new CleanedTransactions(options.transactions)
  }

  get counts(): FilterCounts {
    return this.#counts
  }

  /**
   * Takes in the next batch of the log. Returns the bytes that stay, the batch's own where nothing has changed; undefined: none
   * of it stays. Throws `MalformedMessage` where the checksum does not match: what has rotted must not get a new one.
   */
  filter(batch: RecordBatch): Buffer | undefined {
    if (!batch.isIntact()) throw new MalformedMessage(`the batch at ${batch.baseOffset} does not match its checksum`)
    this.#counts.batchesRead++
    this.#counts.bytesRead += batch.length
    this.#counts.recordsRead += batch.recordCount
    const kept = batch.isControl ? this.#filterMarker(batch) : this.#filterData(batch)
    if (kept !== undefined) this.#countKept(new RecordBatch(kept))
    return kept
  }

  #countKept(kept: RecordBatch): void {
    this.#counts.bytesKept += kept.length
    if (kept.hasDeleteHorizon) this.#counts.latestHorizon = Math.max(this.#counts.latestHorizon, kept.baseTimestamp)
  }

  #filterMarker(batch: RecordBatch): Buffer | undefined {
    const { now, deleteRetentionMs } = this.#options
    const { isEmpty, kept } = this.#transactions.end(batch, markerIn(batch))
    if (kept !== undefined) this.abortedKept.push(kept)
    const isOver = isEmpty && batch.hasDeleteHorizon && batch.baseTimestamp <= now
    if (batch.recordCount === 0 || isOver) return this.#withoutRecords(batch)
    this.#counts.recordsKept += batch.recordCount
    if (!isEmpty || batch.hasDeleteHorizon) return batch.bytes
    return this.#rewrite(batch, { keeps: () => true, horizon: now + deleteRetentionMs })
  }

  #filterData(batch: RecordBatch): Buffer | undefined {
    if (this.#transactions.isAborted(batch) || batch.recordCount === 0) return this.#withoutRecords(batch)
    const { map, mapEndOffset, now, deleteRetentionMs } = this.#options
    const { baseOffset } = batch
    // A horizon that was set now would run out for a tombstone whose older values are here still.
    if (baseOffset >= mapEndOffset) {
      this.#counts.recordsKept += batch.recordCount
      return batch.bytes
    }
    const keepsTombstones = !batch.hasDeleteHorizon || now < batch.baseTimestamp
    const keeps = (record: RecordCursor): boolean => {
      if (!record.hasKey || !(record.hasValue || keepsTombstones)) return false
      return baseOffset + record.offsetDelta >= map.get(record.bytes, record)
    }
    return this.#rewrite(batch, { keeps, horizon: batch.hasDeleteHorizon ? undefined : now + deleteRetentionMs })
  }

  /** With the records that stay. `horizon`: what is set where a tombstone is among them, or where it is a marker. */
  #rewrite(
    batch: RecordBatch, how: { readonly keeps: (record: RecordCursor) => boolean; readonly horizon: number | undefined },
  ): Buffer | undefined {
    try {
      const kept = new KeptRecords(batch)
      const records = openRecords(batch, this.#options.inflatedBytesMax)
      while (records.next()) {
        if (how.keeps(records)) kept.add(records)
      }
      if (!batch.isControl) this.#counts.recordsKept += kept.count
      if (kept.count === 0) return this.#withoutRecords(batch)
      const isHorizonDue = how.horizon !== undefined && (batch.isControl || kept.hasTombstones)
      if (kept.count === batch.recordCount && !isHorizonDue) return batch.bytes
      return kept.encode(records.bytes, isHorizonDue ? how.horizon : undefined)
    } catch (cause) {
      if (!(cause instanceof MalformedMessage)) throw cause
      this.#counts.unreadable++
      return batch.bytes
    }
  }

  #withoutRecords(batch: RecordBatch): Buffer | undefined {
    if (this.#fateOf(batch) === 'goes') return undefined
    return batch.recordCount === 0 ? batch.bytes : emptied(batch)
  }

  #fateOf(batch: RecordBatch): Fate {
    const { roundEndOffset, lastOfProducers } = this.#options
    if (batch.endOffset === roundEndOffset) return 'stays empty'
    const last = batch.producerId < 0 ? undefined : lastOfProducers.get(batch.producerId)
    if (last === undefined) return 'goes'
    const isLast = last.lastDataOffset < 0
      ? batch.isControl && batch.producerEpoch === last.epoch
      : batch.lastOffset === last.lastDataOffset
    return isLast ? 'stays empty' : 'goes'
  }
}
