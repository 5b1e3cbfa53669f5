import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Write } from '../../broker/table/table.ts'
import type { TableFixture } from './table-fixture.ts'

/** Writers that meet: what one of them is told has to be true for all of them. */
export function raceCases(fixture: () => TableFixture): void {
  it('of two writers who race 200 times for one item, exactly one wins each time', async () => {
    const f = fixture()
    const wins = [0, 0]
    for (let version = 0; version < 200; version++) {
      const expect = version === 0 ? 'absent' : version
      // Who is asked first changes, so that a table which always prefers one of them shows.
      const writers = version % 2 === 0 ? [0, 1] : [1, 0]
      const results = await Promise.all(writers.map((writer) => f.put('item', `${writer}/${version}`, expect)))
      const winners = writers.filter((_, index) => results[index]!.committed)
      assert.equal(winners.length, 1, `${winners.length} winners at version ${version}`)
      wins[winners[0]!]!++
      assert.deepEqual(await f.get('item'), { ...f.key('item'), version: version + 1, value: `${winners[0]}/${version}` })
    }
    assert.equal(wins[0]! + wins[1]!, 200)
  })

  it('of ten commits that each want the same two items, in either order, one wins', async () => {
    const f = fixture()
    for (let round = 0; round < 10; round++) {
      const results = await Promise.all(
        Array.from({ length: 10 }, (_, writer) => {
          const writes = ['left', 'right'].map((side): Write => {
            return { kind: 'put', key: f.key(`${side}-${round}`), value: writer, expect: 'absent' }
          })
          return f.table.commit(writer % 2 === 0 ? writes : writes.toReversed())
        }),
      )
      assert.equal(results.filter((result) => result.committed).length, 1)
      assert.equal((await f.get(`left-${round}`))?.value, (await f.get(`right-${round}`))?.value)
    }
  })

  it('a counter that twenty writers raise by reading and writing loses no step', async () => {
    const f = fixture()
    await f.put('counter', 0)
    const raise = async () => {
      for (;;) {
        const item = await f.get('counter')
        const result = await f.put('counter', (item!.value as number) + 1, item!.version)
        if (result.committed) return
      }
    }
    await Promise.all(Array.from({ length: 20 }, raise))
    assert.deepEqual(await f.get('counter'), { ...f.key('counter'), version: 21, value: 20 })
  })

  it('of two commits that each check what the other writes, at most one commits', async () => {
    const f = fixture()
    for (let round = 0; round < 20; round++) {
      const [left, right] = [f.key(`left-${round}`), f.key(`right-${round}`)]
      const cross = (mine: typeof left, other: typeof left) =>
        f.table.commit([
          { kind: 'check', key: other, expect: 'absent' },
          { kind: 'put', key: mine, value: round, expect: 'absent' },
        ])
      const results = await Promise.all([cross(left, right), cross(right, left)])
      assert.equal(results.filter((result) => result.committed).length, 1)
    }
  })
}
