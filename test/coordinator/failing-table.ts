import { type CommitResult, type Item, type Key, type Range, type Table, TableError, type Write } from '../../broker/table/table.ts'
import { MemoryTable } from '../support/memory-table.ts'

/**
 * A table that does what a test says with the next commits: `away`, nothing is written; `lost`, it is written and the
 * answer is lost; `dropped`, nothing is written and nobody knows; `slow`, it waits until `go()`.
 */
export type Fault = 'away' | 'lost' | 'dropped' | 'slow'

export class FailingTable implements Table {
  readonly #table = new MemoryTable()
  readonly faults: Fault[] = []
  /** Writes of each commit, in order. */
  readonly commits: (readonly Write[])[] = []
  /** Done once, after the next item has been read and before its reader goes on. */
  afterGet: (() => Promise<unknown>) | undefined
  #waiting: (() => void)[] = []

  async get(key: Key): Promise<Item | undefined> {
    const item = await this.#table.get(key)
    const { afterGet } = this
    this.afterGet = undefined
    await afterGet?.()
    return item
  }

  query(partition: string, range?: Range): Promise<Item[]> {
    return this.#table.query(partition, range)
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    this.commits.push(writes)
    const fault = this.faults.shift()
    if (fault === 'slow') await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (fault === 'away') throw new TableError('away', 'not reached')
    if (fault === 'dropped') throw new TableError('unknown', 'no answer')
    const result = await this.#table.commit(writes)
    if (fault === 'lost') throw new TableError('unknown', 'no answer')
    return result
  }

  /** Lets the commits that wait go on. */
  go(): void {
    for (const resume of this.#waiting.splice(0)) resume()
  }

  close(): Promise<void> {
    return this.#table.close()
  }
}
