import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { TableFixture } from './table-fixture.ts'

/** What queries return, and in which order. */
export function queryCases(fixture: () => TableFixture): void {
  // In the order of UTF-8. JavaScript's own comparison would put the elephant before U+FFFD.
  const ordered = [
    '\u0000',
    ' ',
    '!',
    '0',
    '00',
    '01',
    '1',
    '10',
    'A',
    'a',
    'a/',
    'a/b',
    'a/é',
    'a0',
    'b',
    'é',
    '\ud7ff',
    '\ue000',
    '\ufffd',
    '🐘',
    '🐘/x',
  ]

  it('a query returns a partition in the order of UTF-8, whatever the order of writing', async () => {
    const f = fixture()
    await f.putAll(ordered.toReversed())
    assert.deepEqual(await f.sorts(), ordered)
    assert.deepEqual(await f.sorts({ reverse: true }), ordered.toReversed())
    assert.deepEqual(await f.table.query(`${f.partition}-other`), [])
  })

  it('start is inclusive, end is exclusive, and bounds need not exist', async () => {
    const f = fixture()
    await f.putAll(['b', 'd', 'f', 'h'])
    assert.deepEqual(await f.sorts({ start: 'd' }), ['d', 'f', 'h'])
    assert.deepEqual(await f.sorts({ end: 'f' }), ['b', 'd'])
    assert.deepEqual(await f.sorts({ start: 'c', end: 'g' }), ['d', 'f'])
    assert.deepEqual(await f.sorts({ start: 'd', end: 'h', reverse: true }), ['f', 'd'])
    assert.deepEqual(await f.sorts({ start: 'd', end: 'd' }), [])
    assert.deepEqual(await f.sorts({ start: 'g', end: 'c' }), [])
    assert.deepEqual(await f.sorts({ start: '', end: 'c' }), ['b'])
    assert.deepEqual(await f.sorts({ end: '' }), [])
  })

  it('a limit counts from the end that the query starts at, and not past an excluded bound', async () => {
    const f = fixture()
    await f.putAll(['a', 'b', 'c', 'd', 'e'])
    assert.deepEqual(await f.sorts({ limit: 2 }), ['a', 'b'])
    assert.deepEqual(await f.sorts({ limit: 2, reverse: true }), ['e', 'd'])
    assert.deepEqual(await f.sorts({ start: 'b', end: 'e', limit: 2, reverse: true }), ['d', 'c'])
    assert.deepEqual(await f.sorts({ start: 'b', end: 'e', limit: 1, reverse: true }), ['d'])
    assert.deepEqual(await f.sorts({ start: 'c', limit: 9 }), ['c', 'd', 'e'])
    assert.deepEqual(await f.sorts({ limit: 0 }), [])
  })

  it('the floor of a key is one reverse query with limit 1', async () => {
    const f = fixture()
    await f.putAll(['segment/00', 'segment/10', 'segment/20'])
    assert.deepEqual(await f.sorts({ end: 'segment/15', reverse: true, limit: 1 }), ['segment/10'])
  })

  it('a prefix selects what begins so, up to the last characters there are', async () => {
    const f = fixture()
    const last = '\u{10ffff}'
    await f.putAll(['a', 'a/', 'a/1', 'a/2', `a/${last}${last}`, 'a0', 'b', '\ud7ff', '\ud7ffz', '\ue000', last, `${last}z`])
    assert.deepEqual(await f.sorts({ prefix: 'a/' }), ['a/', 'a/1', 'a/2', `a/${last}${last}`])
    assert.deepEqual(await f.sorts({ prefix: 'a/', reverse: true, limit: 1 }), [`a/${last}${last}`])
    assert.deepEqual(await f.sorts({ prefix: '\ud7ff' }), ['\ud7ff', '\ud7ffz'])
    assert.deepEqual(await f.sorts({ prefix: last }), [last, `${last}z`])
    assert.deepEqual(await f.sorts({ prefix: 'c' }), [])
    assert.equal((await f.sorts({ prefix: '' })).length, 12)
  })

  it('a query of several MiB comes whole, in both directions and with a limit', async () => {
    const f = fixture()
    const sorts = Array.from({ length: 12 }, (_, index) => `${index}`.padStart(3, '0'))
    const value = 'x'.repeat(300 * 1024)
    for (const sort of sorts) await f.put(sort, value, 'absent')
    assert.deepEqual(await f.sorts(), sorts)
    assert.deepEqual(await f.sorts({ reverse: true }), sorts.toReversed())
    assert.deepEqual(await f.sorts({ limit: 7 }), sorts.slice(0, 7))
    const items = await f.table.query(f.partition, { start: '004' })
    assert.ok(items.every((item) => item.value === value))
  })

  it('a partition of 1,000 items is read whole', async () => {
    const f = fixture()
    const sorts = Array.from({ length: 1000 }, (_, index) => `${index}`.padStart(4, '0'))
    await f.putAll(sorts)
    assert.deepEqual(await f.sorts(), sorts)
  })
}
