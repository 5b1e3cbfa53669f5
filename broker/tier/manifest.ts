// The manifest of one partition: which object holds which offsets. Every change of it is one commit that also writes
// the head under its version, so changes are in a row whoever makes them, and a segment enters only where
//
//   - the head's epoch is the writer's: a deposed leader's upload becomes an orphan, never a row;
//   - the segment begins where the tier ends, or within what `logStart` has overtaken: no gap in what is served and no
//     overlap, by construction (Kafka needed KAFKA-15168, 15241 and 16511 because its metadata topic cannot ask);
//   - its intent is still there: who sweeps an intent takes it away first, and only then the object.

import { strict as assert } from 'node:assert'
import { type CommitResult, commitWritesMax, type Item, type Table, type Write } from '../table/table.ts'
import {
  deletedTopicKey, headFromJson, headKey, headToJson, intentFromJson, intentKey, type ManifestHead, type RetiredObject, retiredFromJson,
  retiredKey, segmentKey, segmentSort, tablePartition, type TierPartitionId, type UploadIntent, uuidOf,
} from './manifest-items.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import { segmentFromJson, segmentToJson, type TieredSegment } from './tiered-segment.ts'

export interface ManifestOptions {
  readonly table: Table
  readonly id: TierPartitionId
  /** Rows kept in memory. */
  readonly rowsMax: number
  /** How often a change is decided anew after it lost a race. */
  readonly attemptsMax: number
}

/** A row with the version of its item: as long as that stands, nobody has put another one in its place. */
export interface PinnedRow {
  readonly row: TieredSegment
  readonly version: number
}

export interface HeadChange {
  readonly head: ManifestHead
  readonly writes: readonly Write[]
}

export class Manifest {
  readonly id: TierPartitionId
  readonly #options: ManifestOptions
  #head: { readonly value: ManifestHead; readonly version: number } | undefined
  /** Of the term in which this broker leads; undefined where it does not. */
  #epoch: number | undefined
  #isCurrent = false
  #rows: TieredSegment[] = []
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: ManifestOptions) {
    this.id = options.id
    this.#options = options
  }

  /** As last read or written. Undefined: never read, or nothing was ever tiered. */
  get head(): ManifestHead | undefined {
    return this.#head?.value
  }

  /** Whether `head` is from the table and nothing since has put it in doubt. */
  get isCurrent(): boolean {
    return this.#isCurrent
  }

  /** Whether this broker's epoch is the one that counts. */
  get isClaimed(): boolean {
    return this.#isCurrent && this.#epoch !== undefined && this.#head?.value.epoch === this.#epoch
  }

  /** Reads the head. Throws `TierError` `away` or `damaged`. */
  refresh(): Promise<ManifestHead | undefined> {
    return this.#inTurn(() => this.#read())
  }

  /**
   * Makes `epoch` the one that counts. Nothing is uploaded, retained or evicted before: a leader that has not read what
   * its predecessors did would judge by nothing. Throws `TierError`: `fenced`, `gone`, `away`.
   */
  claim(epoch: number, logStartOffset: number): Promise<ManifestHead> {
    return this.#inTurn(async () => {
      this.#epoch = epoch
      const nothing = { tieredEnd: 0, generation: 0, bytes: 0, segments: 0, maxTimestamp: -1 }
      const fresh: ManifestHead = { epoch, logStart: logStartOffset, ...nothing }
      const deleted = deletedTopicKey(this.id.topicId)
      await this.#read()
      for (let attempt = 0; attempt < this.#options.attemptsMax; attempt++) {
        const was = this.#head
        if (was?.value.epoch === epoch) return was.value
        if (was !== undefined && was.value.epoch > epoch) throw this.#fenced(was.value)
        const head = was === undefined ? fresh : { ...was.value, epoch }
        const writes: Write[] = [{ kind: 'check', key: deleted, expect: 'absent' }]
        const result = await this.#write({ head, writes })
        if (result.committed) return head
        if (result.conflicts.some((key) => key.partition === deleted.partition)) {
          throw new TierError('gone', `topic ${this.id.topicId} was deleted`)
        }
        await this.#read()
      }
      throw this.#contended()
    })
  }

  /**
   * Changes the head, and what `decide` says together with it. `decide` is pure, and called again when someone else was
   * first; undefined: nothing is to be done. Returns whether it was done. Throws `TierError`: `fenced` where this broker
   * has claimed the partition and lost it, `away` where the outcome is unknown; the head is then read before it is used.
   */
  change(decide: (head: ManifestHead) => HeadChange | undefined): Promise<boolean> {
    return this.#inTurn(async () => {
      if (!this.#isCurrent) await this.#read()
      for (let attempt = 0; attempt < this.#options.attemptsMax; attempt++) {
        const was = this.#head
        if (was === undefined) throw new TierError('away', `${tablePartition(this.id)} has no head yet`)
        if (this.#epoch !== undefined && was.value.epoch !== this.#epoch) throw this.#fenced(was.value)
        const change = decide(was.value)
        if (change === undefined) return false
        assert(change.head.logStart >= was.value.logStart, 'the log\'s start never goes back')
        assert(change.head.tieredEnd >= was.value.tieredEnd, 'the tier\'s end never goes back')
        const result = await this.#write(change)
        if (result.committed) return true
        await this.#read()
        // The head stands as it was: what `decide` saw beside it is what has changed.
        if (this.#head?.version === was.version) return false
      }
      throw this.#contended()
    })
  }

  /** Writes down that an upload begins, before anything of it reaches the store. */
  async begin(intent: UploadIntent): Promise<void> {
    const { uuid, ...value } = intent
    const isDone = await this.change((head) => ({
      head, writes: [{ kind: 'put', key: intentKey(this.id, uuid), value, expect: 'absent' }],
    }))
    if (!isDone) throw new TierError('away', `intent ${uuid} is taken`)
  }

  /** Takes in an uploaded segment, in place of its intent. False: the intent was swept, or the segment does not fit any more. */
  async commit(segment: Omit<TieredSegment, 'maxTimestampSoFar'>): Promise<boolean> {
    let row: TieredSegment | undefined
    const isDone = await this.change((head) => {
      if (!fitsBehind(head, segment)) return undefined
      const maxTimestamp = Math.max(head.maxTimestamp, segment.maxTimestamp)
      row = { ...segment, maxTimestampSoFar: maxTimestamp }
      const bytes = head.bytes + row.batchesBytes
      return {
        head: { ...head, tieredEnd: row.endOffset, bytes, segments: head.segments + 1, maxTimestamp },
        writes: [
          { kind: 'put', key: segmentKey(this.id, row.baseOffset), value: segmentToJson(row), expect: 'absent' },
          { kind: 'delete', key: intentKey(this.id, uuidOf(row.key)), expect: 1 },
        ],
      }
    })
    if (isDone && row !== undefined) this.#remember(row)
    return isDone
  }

  /** The row whose range holds `offset`. Throws `TierError` with code `away` or `damaged`. */
  async find(offset: number): Promise<TieredSegment | undefined> {
    const known = this.#rows.find((row) => row.baseOffset <= offset && offset < row.endOffset)
    if (known !== undefined) return known
    const row = await this.floor(offset)
    return row !== undefined && offset < row.endOffset ? row : undefined
  }

  /** The last row that begins at `offset` or before. */
  async floor(offset: number): Promise<TieredSegment | undefined> {
    const [row] = await this.#query({ start: segmentSort(0), end: segmentSort(offset + 1), reverse: true, limit: 1 })
    if (row !== undefined) this.#remember(row)
    return row
  }

  /** At most `limit` rows that begin at `offset` or later, ascending. */
  rowsFrom(offset: number, limit: number): Promise<TieredSegment[]> {
    return this.#query({ start: segmentSort(offset), end: segmentSort(Number.MAX_SAFE_INTEGER), limit })
  }

  /** The same, to be replaced. */
  async pinnedRowsFrom(offset: number, limit: number): Promise<PinnedRow[]> {
    const items = await this.#items({ start: segmentSort(offset), end: segmentSort(Number.MAX_SAFE_INTEGER), limit })
    return items.map(({ value, version }) => ({ row: segmentFromJson(value), version }))
  }

  async intents(): Promise<UploadIntent[]> {
    const items = await this.#items({ prefix: 'intent/' })
    return items.map((item) => intentFromJson(item.sort.slice('intent/'.length), item.value))
  }

  async retired(limit?: number): Promise<RetiredObject[]> {
    const items = await this.#items({ prefix: 'retired/', ...(limit === undefined ? {} : { limit }) })
    return items.map((item) => retiredFromJson(item.sort.slice('retired/'.length), item.value))
  }

  /** Removes the items of objects that are no longer in the store. */
  async forget(retired: readonly RetiredObject[]): Promise<void> {
    for (let start = 0; start < retired.length; start += commitWritesMax) {
      const writes = retired.slice(start, start + 100).map(
        ({ uuid }): Write => ({ kind: 'delete', key: retiredKey(this.id, uuid), expect: 'any' })
      )
      await this.#attempt('forgetting deleted objects', () => this.#options.table.commit(writes))
    }
  }

  /** Says that what is known here does not fit the bucket: it is read anew before it is used again. */
  doubt(): void {
    this.#isCurrent = false
    this.#rows = []
  }

  /** Drops rows from memory that are no longer in the table. */
  dropRows(isGone: (row: TieredSegment) => boolean): void {
    this.#rows = this.#rows.filter((row) => !isGone(row))
  }

  async #read(): Promise<ManifestHead | undefined> {
    const item = await this.#attempt('reading the head', () => this.#options.table.get(headKey(this.id)))
    const was = this.#head?.value
    this.#head = item === undefined ? undefined : { value: headFromJson(item.value), version: item.version }
    if (was?.generation !== this.#head?.value.generation) this.#rows = []
    this.#isCurrent = true
    return this.#head?.value
  }

  async #write({ head, writes }: HeadChange): Promise<CommitResult> {
    const version = this.#head?.version
    const put: Write = { kind: 'put', key: headKey(this.id), value: headToJson(head), expect: version ?? 'absent' }
    this.#isCurrent = false
    const result = await this.#attempt('changing the manifest', () => this.#options.table.commit([put, ...writes]))
    if (result.committed) {
      this.#head = { value: head, version: (version ?? 0) + 1 }
      this.#isCurrent = true
    }
    return result
  }

  async #query(range: { start: string; end: string; reverse?: boolean; limit: number }): Promise<TieredSegment[]> {
    return (await this.#items(range)).map((item) => segmentFromJson(item.value))
  }

  #items(range: Parameters<Table['query']>[1]): Promise<Item[]> {
    return this.#attempt('reading the manifest', () => this.#options.table.query(tablePartition(this.id), range))
  }

  #remember(row: TieredSegment): void {
    this.#rows = [row, ...this.#rows.filter((one) => one.baseOffset !== row.baseOffset)].slice(0, this.#options.rowsMax)
  }

  async #attempt<T>(doing: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (cause) {
      throw tierErrorOf(`${tablePartition(this.id)}: ${doing}`, cause)
    }
  }

  /** One change at a time: each reads the head, waits, and writes it. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run, run)
    this.#last = turn.catch(() => {})
    return turn
  }

  #fenced(head: ManifestHead): TierError {
    return new TierError('fenced', `${tablePartition(this.id)}: epoch ${this.#epoch} met ${head.epoch}`)
  }

  #contended(): TierError {
    return new TierError('away', `${tablePartition(this.id)} was contended ${this.#options.attemptsMax} times in a row`)
  }
}

interface OffsetRange {
  readonly baseOffset: number
  readonly endOffset: number
}

/**
 * Whether a segment may follow what the tier has: it begins at the end, or behind it where all that would be between is
 * below the log's start, as after an outage of the store that was longer than the retention.
 */
export function fitsBehind(head: ManifestHead, { baseOffset, endOffset }: OffsetRange): boolean {
  const isNext = baseOffset === head.tieredEnd || (baseOffset > head.tieredEnd && baseOffset <= head.logStart)
  return isNext && endOffset > baseOffset
}
