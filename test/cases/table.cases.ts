import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  commitBytesMax,
  commitWritesMax,
  type Expectation,
  type Item,
  itemBytesMax,
  type Table,
  TableError,
  type Write,
} from '../../broker/table/table.ts'
import { TableFixture } from './table-fixture.ts'
import { queryCases } from './table-query.cases.ts'
import { raceCases } from './table-race.cases.ts'

/**
 * What every table does. One table serves all cases, each of which keeps to partitions of its own, so the same
 * file runs against a table that other tests use at the same time.
 */
export function tableCases(name: string, open: () => Promise<Table>): void {
  describe(name, { concurrency: 1 }, () => {
    let table: Table
    before(async () => {
      table = await open()
    })
    after(() => table.close())
    const fixture = (): TableFixture => new TableFixture(table, `p-${randomUUID()}`)
    singleItemCases(fixture)
    expectationCases(fixture)
    commitCases(fixture)
    queryCases(fixture)
    limitCases(fixture)
    raceCases(fixture)
  })
}

const committed = { committed: true }

function singleItemCases(fixture: () => TableFixture): void {
  it('an item that was never written is undefined', async () => {
    assert.equal(await fixture().get('nothing'), undefined)
  })

  it('an item comes back as it was written, with version 1', async () => {
    const f = fixture()
    const value = { text: 'a "quoted" \\ \u0000 \u2028 🐘', number: -1.5e300, yes: true, none: null, list: [1, [2, {}]], '': 0 }
    assert.deepEqual(await f.put('item', value), committed)
    assert.deepEqual(await f.get('item'), { ...f.key('item'), version: 1, value })
  })

  it('a value can be a bare string, number, boolean, null, array or empty object', async () => {
    const f = fixture()
    for (const [index, value] of ['', 'text', 0, false, null, [], {}].entries()) {
      await f.put(`${index}`, value)
      assert.deepEqual((await f.get(`${index}`))?.value, value)
    }
  })

  it('the version grows by one with each write', async () => {
    const f = fixture()
    for (let version = 1; version <= 5; version++) {
      assert.deepEqual(await f.put('item', version), committed)
      assert.equal((await f.get('item'))?.version, version)
    }
  })

  it('an item that was deleted is gone, and starts over when it is made again', async () => {
    const f = fixture()
    await f.put('item', 'first')
    await f.put('item', 'second')
    assert.deepEqual(await f.table.commit([{ kind: 'delete', key: f.key('item'), expect: 2 }]), committed)
    assert.equal(await f.get('item'), undefined)
    assert.deepEqual(await f.sorts(), [])
    assert.deepEqual(await f.put('item', 'third', 'absent'), committed)
    assert.deepEqual(await f.get('item'), { ...f.key('item'), version: 1, value: 'third' })
  })

  it('the table keeps a copy: changing a value afterwards changes nothing', async () => {
    const f = fixture()
    const value = { list: [1] }
    await f.put('item', value)
    value.list.push(2)
    const read = (await f.get('item')) as Item & { value: { list: number[] } }
    read.value.list.push(3)
    assert.deepEqual((await f.get('item'))?.value, { list: [1] })
  })
}

function expectationCases(fixture: () => TableFixture): void {
  interface Row {
    readonly kind: 'put' | 'delete' | 'check'
    readonly expect: Expectation
    /** Version of the item before, 0 where there is none. */
    readonly before: number
    readonly holds: boolean
    readonly after: number
  }
  const rows: readonly Row[] = [
    { kind: 'put', expect: 'absent', before: 0, holds: true, after: 1 },
    { kind: 'put', expect: 'absent', before: 1, holds: false, after: 1 },
    { kind: 'put', expect: 'any', before: 0, holds: true, after: 1 },
    { kind: 'put', expect: 'any', before: 2, holds: true, after: 3 },
    { kind: 'put', expect: 2, before: 2, holds: true, after: 3 },
    { kind: 'put', expect: 2, before: 1, holds: false, after: 1 },
    { kind: 'put', expect: 2, before: 3, holds: false, after: 3 },
    { kind: 'put', expect: 1, before: 0, holds: false, after: 0 },
    { kind: 'delete', expect: 'any', before: 2, holds: true, after: 0 },
    { kind: 'delete', expect: 'any', before: 0, holds: true, after: 0 },
    { kind: 'delete', expect: 2, before: 2, holds: true, after: 0 },
    { kind: 'delete', expect: 1, before: 2, holds: false, after: 2 },
    { kind: 'delete', expect: 1, before: 0, holds: false, after: 0 },
    { kind: 'check', expect: 'absent', before: 0, holds: true, after: 0 },
    { kind: 'check', expect: 'absent', before: 1, holds: false, after: 1 },
    { kind: 'check', expect: 2, before: 2, holds: true, after: 2 },
    { kind: 'check', expect: 2, before: 1, holds: false, after: 1 },
    { kind: 'check', expect: 1, before: 0, holds: false, after: 0 },
  ]
  for (const { kind, expect, before, holds, after } of rows) {
    const found = before === 0 ? 'no item' : `version ${before}`
    for (const company of ['alone', 'with another write']) {
      it(`a ${kind} that expects ${expect} and finds ${found} ${holds ? 'commits' : 'conflicts'}, ${company}`, async () => {
        const f = fixture()
        for (let version = 1; version <= before; version++) await f.put('item', version)
        const write = { kind, key: f.key('item'), expect, ...(kind === 'put' ? { value: 'new' } : {}) } as Write
        const other: Write = { kind: 'put', key: f.key('other'), value: 'other', expect: 'absent' }
        const result = await f.table.commit(company === 'alone' ? [write] : [other, write])
        assert.deepEqual(result, holds ? committed : { committed: false, conflicts: [f.key('item')] })
        assert.equal((await f.get('item'))?.version ?? 0, after)
        assert.equal((await f.get('other'))?.version, company === 'alone' || !holds ? undefined : 1)
      })
    }
  }
}

function commitCases(fixture: () => TableFixture): void {
  it('a commit without writes commits', async () => {
    assert.deepEqual(await fixture().table.commit([]), committed)
  })

  it('a commit of 100 writes over many partitions is all there', async () => {
    const f = fixture()
    const key = (index: number) => ({ partition: `${f.partition}-${index % 7}`, sort: `${index}` })
    const indexes = Array.from({ length: commitWritesMax }, (_, index) => index)
    const put = (index: number): Write => ({ kind: 'put', key: key(index), value: index, expect: 'absent' })
    assert.deepEqual(await f.table.commit(indexes.map(put)), committed)
    for (const index of indexes) assert.equal((await f.table.get(key(index)))?.value, index)
  })

  it('one conflict among 100 writes leaves nothing behind', async () => {
    const f = fixture()
    await f.put('57', 'taken')
    const writes = Array.from({ length: commitWritesMax }, (_, index): Write => {
      return { kind: 'put', key: f.key(`${index}`), value: index, expect: 'absent' }
    })
    assert.deepEqual(await f.table.commit(writes), { committed: false, conflicts: [f.key('57')] })
    assert.deepEqual(await f.sorts(), ['57'])
  })

  it('a commit of checks alone writes nothing and tells which does not hold', async () => {
    const f = fixture()
    await f.put('there', 1)
    const check = (sort: string, expect: number | 'absent'): Write => ({ kind: 'check', key: f.key(sort), expect })
    assert.deepEqual(await f.table.commit([check('there', 1), check('missing', 'absent')]), committed)
    assert.deepEqual(await f.table.commit([check('there', 1), check('missing', 4)]), {
      committed: false,
      conflicts: [f.key('missing')],
    })
    assert.equal((await f.get('there'))?.version, 1)
  })

  it('puts, a delete and a check commit together', async () => {
    const f = fixture()
    await f.putAll(['guard', 'old'])
    const writes: Write[] = [
      { kind: 'check', key: f.key('guard'), expect: 1 },
      { kind: 'delete', key: f.key('old'), expect: 1 },
      { kind: 'put', key: f.key('new'), value: 'new', expect: 'absent' },
    ]
    assert.deepEqual(await f.table.commit(writes), committed)
    assert.deepEqual(await f.sorts(), ['guard', 'new'])
  })

  it('a read that was asked for after a commit was answered sees it', async () => {
    const f = fixture()
    for (let round = 1; round <= 20; round++) {
      await f.put('item', round)
      const [item, items] = await Promise.all([f.get('item'), f.table.query(f.partition)])
      assert.equal(item?.value, round)
      assert.equal(items[0]?.value, round)
    }
  })
}

function limitCases(fixture: () => TableFixture): void {
  it('keys and values at the limit are taken', async () => {
    const f = fixture()
    const key = { partition: f.partition.padEnd(2048, 'p'), sort: 's'.repeat(1024) }
    // Two bytes of the JSON text are its quotes. Characters of two bytes show that bytes count, not characters.
    const value = 'é'.repeat((itemBytesMax - 2) / 2)
    assert.deepEqual(await f.table.commit([{ kind: 'put', key, value, expect: 'absent' }]), committed)
    assert.deepEqual(await f.table.get(key), { ...key, version: 1, value })
    assert.equal((await f.table.query(key.partition, { start: key.sort })).length, 1)
  })

  it('a commit close to the limit of all values together is taken', async () => {
    const f = fixture()
    const value = 'x'.repeat(commitBytesMax / 10 - 200)
    const writes = Array.from({ length: 10 }, (_, index): Write => ({
      kind: 'put',
      key: f.key(`${index}`),
      value,
      expect: 'absent',
    }))
    assert.deepEqual(await f.table.commit(writes), committed)
    assert.equal((await f.sorts()).length, 10)
  })

  const put = (partition: string, sort: string, value: unknown = 0, expect: unknown = 'any') =>
    ({ kind: 'put', key: { partition, sort }, value, expect }) as Write
  const wrong: readonly [string, readonly Write[]][] = [
    ['an empty partition', [put('', 's')]],
    ['an empty sort key', [put('p', '')]],
    ['a partition of 2,049 bytes', [put('p'.repeat(2049), 's')]],
    ['a sort key of 1,025 bytes', [put('p', `${'é'.repeat(512)}x`)]],
    ['half of a surrogate pair in a key', [put('p', '\ud800')]],
    ['a value that is too long', [put('p', 's', 'x'.repeat(itemBytesMax - 1))]],
    ['a value that is not JSON', [put('p', 's', () => 0)]],
    ['version 0', [put('p', 's', 0, 0)]],
    ['two writes to one item', [put('p', 's'), put('p', 's')]],
    ['101 writes', Array.from({ length: commitWritesMax + 1 }, (_, index) => put('p', `${index}`))],
    [
      'values that are too long together',
      Array.from({ length: 10 }, (_, index) => put('p', `${index}`, 'x'.repeat(commitBytesMax / 10))),
    ],
    ['a delete of what should be absent', [{ kind: 'delete', key: { partition: 'p', sort: 's' }, expect: 'absent' }]],
    ['a check that anything passes', [{ kind: 'check', key: { partition: 'p', sort: 's' }, expect: 'any' as 'absent' }]],
  ]
  for (const [name, writes] of wrong) {
    it(`${name} is refused as invalid`, async () => {
      await assert.rejects(fixture().table.commit(writes), isInvalid)
    })
  }

  it('an invalid key, range or limit is refused as invalid in reads', async () => {
    const { table, partition } = fixture()
    await assert.rejects(table.get({ partition, sort: '' }), isInvalid)
    await assert.rejects(table.query(''), isInvalid)
    await assert.rejects(table.query(partition, { prefix: 'a', start: 'b' }), isInvalid)
    await assert.rejects(table.query(partition, { limit: -1 }), isInvalid)
    await assert.rejects(table.query(partition, { start: '\udc00' }), isInvalid)
  })
}

function isInvalid(error: unknown): boolean {
  return error instanceof TableError && error.code === 'invalid'
}
