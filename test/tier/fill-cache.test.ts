import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import { FillCache } from '../../broker/tier/fill-cache.ts'
import { ManualClock } from '../support/manual-clock.ts'

function cacheOf(bytesMax: number) {
  const clock = new ManualClock()
  const cache = new FillCache<string>({ clock, bytesMax, failureHoldMs: 100 })
  const fills: string[] = []
  const get = (id: string) => cache.get(id, async () => {
    fills.push(id)
    return { value: `value of ${id}`, bytes: 10 }
  })
  return { clock, cache, fills, get }
}

suite('a cache that fills itself', () => {
  test('many who ask at the same time make one fill', async () => {
    const { fills, get } = cacheOf(100)
    assert.deepEqual(await Promise.all([get('a'), get('a'), get('b')]), ['value of a', 'value of a', 'value of b'])
    await get('a')
    assert.deepEqual(fills, ['a', 'b'])
  })

  test('what its reader is done with goes first, then the least recently used, and never more than the limit stays', async () => {
    const { cache, fills, get } = cacheOf(30)
    for (const id of ['a', 'b', 'c']) await get(id)
    cache.spend('b')
    await get('d')
    assert.equal(cache.bytes, 30)
    assert.deepEqual(['a', 'b', 'c', 'd'].map((id) => cache.has(id)), [true, false, true, true])
    await get('a')
    await get('e')
    assert.deepEqual(['a', 'c', 'd', 'e'].map((id) => cache.has(id)), [true, false, true, true])
    assert.deepEqual(fills, ['a', 'b', 'c', 'd', 'e'])
  })

  test('a value too large to be kept is handed out all the same', async () => {
    const { cache, get } = cacheOf(5)
    assert.equal(await get('a'), 'value of a')
    assert.equal(cache.bytes, 0)
  })

  test('a failure is handed to all who ask for a while, and then tried again', async () => {
    const { clock, cache } = cacheOf(100)
    let tries = 0
    const failing = () => cache.get('a', () => {
      tries++
      return Promise.reject(new Error('away'))
    })
    await assert.rejects(failing(), /away/)
    await assert.rejects(failing(), /away/)
    assert.equal(tries, 1)
    await clock.advance(100)
    await assert.rejects(failing(), /away/)
    assert.equal(tries, 2)
  })
})
