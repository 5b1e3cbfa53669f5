import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countedTable, type TableCall } from '../../broker/table/counted-table.ts'
import { MemoryTable } from '../support/memory-table.ts'

test('a counted table tells of each call, by what it is about, and counts what is written', async () => {
  const calls: TableCall[] = []
  const table = countedTable(new MemoryTable(), (call) => calls.push(call))
  const key = { partition: 'txns#7', sort: '=id' }
  await table.commit([
    { kind: 'put', key, value: 1, expect: 'absent' }, { kind: 'put', key: { ...key, sort: '=other' }, value: 1, expect: 'any' },
    { kind: 'check', key: { partition: 'sessions', sort: '1' }, expect: 'absent' },
  ])
  assert.equal((await table.get(key))?.value, 1)
  assert.equal((await table.query('txns#7')).length, 2)
  await table.commit([{ kind: 'delete', key, expect: 'any' }])
  assert.deepEqual(calls, [
    { call: 'commit', about: 'txns', items: 2 }, { call: 'get', about: 'txns', items: 0 }, { call: 'query', about: 'txns', items: 0 },
    { call: 'commit', about: 'txns', items: 1 },
  ])
})
