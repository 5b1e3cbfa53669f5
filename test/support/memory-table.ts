import { type EncodedWrite, checkKey, encodeWrites } from '../../broker/table/encoded-write.ts'
import { compareSortKeys, sortRange } from '../../broker/table/sort-range.ts'
import {
  type CommitResult,
  type Item,
  type Json,
  type Key,
  type Range,
  type Table,
  TableError,
  type Write,
} from '../../broker/table/table.ts'

interface Row {
  readonly version: number
  /** Values are kept as text, so that nobody shares an object with the table. */
  readonly text: string
}

/** A table without a disk or a thread, for tests and the simulator: every call is answered in a microtask. */
export class MemoryTable implements Table {
  readonly #partitions = new Map<string, Map<string, Row>>()
  #isClosed = false

  async get(key: Key): Promise<Item | undefined> {
    this.#checkOpen()
    checkKey(key)
    const row = this.#row(key)
    return row && itemOf(key, row)
  }

  async query(partition: string, range?: Range): Promise<Item[]> {
    this.#checkOpen()
    const wanted = sortRange(partition, range)
    if (wanted === undefined) return []
    const { start, end, reverse, limit } = wanted
    const rows = [...(this.#partitions.get(partition) ?? [])]
      .filter(([sort]) => start === undefined || compareSortKeys(sort, start) >= 0)
      .filter(([sort]) => end === undefined || compareSortKeys(sort, end) < 0)
      .sort(([left], [right]) => compareSortKeys(left, right))
    if (reverse) rows.reverse()
    return rows.slice(0, limit).map(([sort, row]) => itemOf({ partition, sort }, row))
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    this.#checkOpen()
    const encoded = encodeWrites(writes)
    const conflicts = encoded.filter((write) => !this.#holds(write)).map(({ key }) => key)
    if (conflicts.length > 0) return { committed: false, conflicts }
    for (const write of encoded) this.#apply(write)
    return { committed: true }
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #row({ partition, sort }: Key): Row | undefined {
    return this.#partitions.get(partition)?.get(sort)
  }

  #holds({ key, expect }: EncodedWrite): boolean {
    const version = this.#row(key)?.version
    return expect === 'any' || (expect === 'absent' ? version === undefined : version === expect)
  }

  #apply(write: EncodedWrite): void {
    const { partition, sort } = write.key
    if (write.kind === 'delete') this.#partitions.get(partition)?.delete(sort)
    if (write.kind !== 'put') return
    const rows = this.#partitions.get(partition) ?? new Map<string, Row>()
    this.#partitions.set(partition, rows)
    rows.set(sort, { version: (rows.get(sort)?.version ?? 0) + 1, text: write.text })
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new TableError('away', 'the table is closed')
  }
}

function itemOf({ partition, sort }: Key, { version, text }: Row): Item {
  return { partition, sort, version, value: JSON.parse(text) as Json }
}
