import type { Key, Table, Write } from './table.ts'

export interface TableCall {
  readonly call: 'get' | 'query' | 'commit'
  /** What the items are about: the first word of their partition, such as `transactions` or `offsets`. */
  readonly about: string
  /** Items that a commit writes; 0 for reads, and what a commit only checks does not count. */
  readonly items: number
}

/** Tells of each call as it is made, whatever comes of it: it is calls and items that a table costs. */
export function countedTable(table: Table, onCall: (call: TableCall) => void): Table {
  return {
    get(key) {
      onCall({ call: 'get', about: aboutOf(key), items: 0 })
      return table.get(key)
    },
    query(partition, range) {
      onCall({ call: 'query', about: aboutOf({ partition }), items: 0 })
      return table.query(partition, range)
    },
    commit(writes) {
      const [first] = writes
      onCall({ call: 'commit', about: first === undefined ? 'other' : aboutOf(first.key), items: writes.filter(isWritten).length })
      return table.commit(writes)
    },
    close: () => table.close(),
  }
}

/** Few enough to be a label: what comes behind the first word are ids. */
function aboutOf({ partition }: Pick<Key, 'partition'>): string {
  return /^[a-z-]+/.exec(partition)?.[0] ?? 'other'
}

function isWritten({ kind }: Write): boolean {
  return kind !== 'check'
}
