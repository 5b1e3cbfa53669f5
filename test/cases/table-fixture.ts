import assert from 'node:assert/strict'
import { commitWritesMax, type Expectation, type Json, type Range, type Table, type Write } from '../../broker/table/table.ts'

/** A table and a partition that nobody else uses. */
export class TableFixture {
  readonly table: Table
  readonly partition: string
  constructor(table: Table, partition: string) {
    this.table = table
    this.partition = partition
  }

  key(sort: string) {
    return { partition: this.partition, sort }
  }

  put(sort: string, value: Json, expect: Expectation = 'any') {
    return this.table.commit([{ kind: 'put', key: this.key(sort), value, expect }])
  }

  get(sort: string) {
    return this.table.get(this.key(sort))
  }

  async putAll(sorts: readonly string[]) {
    for (let start = 0; start < sorts.length; start += commitWritesMax) {
      const writes = sorts.slice(start, start + commitWritesMax).map((sort): Write => {
        return { kind: 'put', key: this.key(sort), value: sort, expect: 'absent' }
      })
      assert.deepEqual(await this.table.commit(writes), { committed: true })
    }
  }

  async sorts(range?: Range) {
    return (await this.table.query(this.partition, range)).map((item) => item.sort)
  }
}
