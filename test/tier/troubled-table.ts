import { type CommitResult, type Item, type Key, type Range, type Table, TableError, type Write } from '../../broker/table/table.ts'

export type TableCall = 'get' | 'query' | 'commit'

/** A table in which the test can make calls fail, before they take effect or after. */
export class TroubledTable implements Table {
  readonly #table: Table
  before: (call: TableCall) => unknown = () => {}
  behind: (call: TableCall) => unknown = () => {}

  constructor(table: Table) {
    this.#table = table
  }

  static away(): never {
    throw new TableError('unknown', 'the table is away')
  }

  get(key: Key): Promise<Item | undefined> {
    return this.#call('get', () => this.#table.get(key))
  }

  query(partition: string, range?: Range): Promise<Item[]> {
    return this.#call('query', () => this.#table.query(partition, range))
  }

  commit(writes: readonly Write[]): Promise<CommitResult> {
    return this.#call('commit', () => this.#table.commit(writes))
  }

  close(): Promise<void> {
    return this.#table.close()
  }

  async #call<T>(call: TableCall, run: () => Promise<T>): Promise<T> {
    await this.before(call)
    const result = await run()
    await this.behind(call)
    return result
  }
}
